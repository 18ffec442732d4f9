import { expect, test } from '../harness/test';

test('the page that connects an app has its address, a key that works, and where calls go', async ({ page, project, server }) => {
  await page.goto(project.at('connect'));
  await expect(page.getByRole('tabpanel')).toContainText(`base_url="${server.url}"`);
  await page.getByRole('tab', { name: 'Node, OpenAI' }).click();
  await expect(page.getByRole('tabpanel')).toContainText(`baseURL: '${server.url}/v1'`);
  await expect(page.getByRole('row', { name: /ANTHROPIC_BASE_URL/ })).toContainText('https://api.anthropic.com');
  await expect(page.getByRole('row', { name: /OPENAI_BASE_URL/ })).toContainText('https://api.openai.com');
  await page.goto(project.at('settings/providers'));
  await expect(page.getByRole('row', { name: /OPENAI_BASE_URL/ })).toContainText(`${server.url}/v1`);
});
