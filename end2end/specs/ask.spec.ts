import { expect, test } from '../harness/test';

test('the overview is asked about without script: a link opens the drawer, its form waits for the answer', async ({ page, project }) => {
  await project.ingest({ run_id: 'r1', step_id: 's1', step_name: 'answer', prompt: 'hello', output: 'hi' });
  await page.goto(`${project.at('')}?range=7d`);
  await page.getByRole('banner').getByRole('link', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=1$/);
  const drawer = page.getByRole('complementary', { name: 'Ask', exact: true });
  await expect(drawer.getByRole('link', { name: 'Settings, Model providers' })).toBeVisible();
  await drawer.getByLabel('Ask about this page').fill('What did this week cost?');
  await drawer.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=[0-9a-f-]{36}$/);
  await expect(drawer).toContainText('What did this week cost?');
  await expect(drawer.getByText('No model is chosen for this')).toBeVisible();
  await drawer.getByRole('button', { name: 'Delete this chat' }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=1$/);
  await expect(drawer).not.toContainText('What did this week cost?');
});
