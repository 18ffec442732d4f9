import { expect, test } from '../harness/test';

test('the page that connects an app has its address, a key that works, and where calls go', async ({ page, project, server }) => {
  await page.goto(project.at('connect'));
  await expect(page.getByRole('tabpanel')).toContainText(`base_url="${server.url}"`);
  await page.getByRole('tab', { name: 'Node, OpenAI' }).click();
  await expect(page.getByRole('tabpanel')).toContainText(`baseURL: '${server.url}/v1'`);
  for (const [tab, program, install] of [
    ['TypeScript SDK', `new Tracer({ apiUrl: '${server.url}' })`, 'npm install @plumbline/sdk'],
    ['Python SDK', `Tracer(api_url="${server.url}")`, 'pip install plumbline'],
    ['Rust SDK', `Tracer::builder().api_url("${server.url}")`, 'cargo add plumbline-sdk'],
    ['curl', `curl ${server.url}/ingest`, ''],
  ] as const) {
    await page.getByRole('tab', { name: tab }).click();
    await expect(page.getByRole('tabpanel')).toContainText(program);
    await expect(page.getByRole('main')).toContainText(install);
  }
  // An SDK that sends nothing without a key says so, also where the server needs none; so does a program that no test runs.
  await expect(page.getByText('It works as it is')).toBeVisible();
  await page.getByRole('tab', { name: 'Langfuse' }).click();
  await expect(page.getByRole('tabpanel')).toContainText('secret_key="YOUR_KEY"');
  await expect(page.getByText('the SDK sends nothing without one')).toBeVisible();
  await expect(page.getByText('It works as it is')).toBeHidden();
  await page.getByRole('tab', { name: 'Claude Agent SDK' }).click();
  await expect(page.getByText('our own tests do not run this one')).toBeVisible();
  await expect(page.getByRole('row', { name: /ANTHROPIC_BASE_URL/ })).toContainText('https://api.anthropic.com');
  await expect(page.getByRole('row', { name: /OPENAI_BASE_URL/ })).toContainText('https://api.openai.com');
  await page.goto(project.at('settings/providers'));
  await expect(page.getByRole('row', { name: /OPENAI_BASE_URL/ })).toContainText(`${server.url}/v1`);
});
