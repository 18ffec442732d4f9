import { expect, test } from '../harness/test';

test('rules are read, changed and saved without script', async ({ page, project, request, server }) => {
  await project.ingest(
    { run_id: 'bad', status_success: false, error: 'timeout' },
    { run_id: 'good' },
  );
  await page.goto(project.at('settings/scoring'));
  await expect(page.locator('.bt-say')).toHaveText('1 alert in 30 days');
  await expect(page.getByText('needs JavaScript')).toBeVisible();
  await expect(page.getByRole('row', { name: /1001/ })).toContainText('status_failure');
  await expect(page.locator('.limits')).toContainText('needs 30 usable steps, has 1');

  await page.getByLabel('Tokens override in tok').fill('8000');
  await page.getByLabel('Latency override in ms').fill('soon');
  await page.getByLabel('Points of 1001').fill('90');
  await page.locator('label', { hasText: 'Static' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('Nothing was saved');
  await expect(page.getByLabel('Latency override in ms')).toHaveValue('soon');
  await expect(page.getByLabel('Tokens override in tok')).toHaveValue('8000');
  await expect(page.getByText('A number of milliseconds above 0, or empty')).toBeVisible();

  await page.getByLabel('Latency override in ms').fill('');
  await page.getByRole('switch', { name: 'Code 1002 on' }).uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  await expect(page.locator('.scoring-saved')).toContainText('by local');
  await expect(page.locator('.limits tbody tr').nth(1)).toContainText('set by local');
  const headers = { authorization: `Bearer ${project.key}` };
  const saved = (await (await request.get(`${server.url}/api/settings/scoring`, { headers })).json()) as object;
  expect(saved).toMatchObject({ mode: 'manual', muted: [1002], points: { '1001': 90 }, limits: { tokens: 8_000, latency_ms: null } });
});

test('every code is listed on demand, and a project without steps says so', async ({ page, project }) => {
  await page.goto(project.at('settings/scoring'));
  await expect(page.getByText('No steps in 30 days')).toBeVisible();
  await page.getByRole('link', { name: 'Show all' }).click();
  await expect(page.getByRole('row', { name: /5004/ })).toContainText('output_tokens_outlier');
  await page.getByRole('link', { name: '90 d' }).click();
  await expect(page.getByText('No steps in 90 days')).toBeVisible();
});
