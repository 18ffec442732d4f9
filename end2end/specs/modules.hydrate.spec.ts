import { expect, hydrated, test } from '../harness/test';

const pages = ['', 'incidents', 'ask', 'deploys', 'connect', 'anomalies', 'prompts', 'sessions', 'users', 'detectors', 'findings', 'settings', 'settings/keys', 'settings/integrations', 'settings/alerts', 'settings/watcher', 'settings/prices', 'settings/budgets', 'settings/providers', 'settings/outbound', 'settings/redaction', 'settings/retention', 'settings/scoring', 'settings/members', 'settings/shares', 'settings/ledger', 'settings/audit', 'compare'];

test('the list of runs downloads one WASM, another page its own once', async ({ page, project }) => {
  const fetched: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith('.wasm')) fetched.push(pathname);
  });
  await page.goto(project.at('runs'));
  await hydrated(page);
  expect(fetched).toEqual([expect.stringMatching(/^\/pkg\/plumbline_bg\.[0-9a-f]{12}\.wasm$/)]);

  const bar = page.getByRole('navigation').first();
  await page.evaluate(() => document.body.setAttribute('data-same-document', ''));
  await bar.getByRole('link', { name: 'Anomalies' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Anomalies' })).toBeVisible();
  await expect(page.locator('body[data-same-document]')).toBeAttached();
  const after = fetched.length;
  expect(fetched.filter((path) => /^\/pkg\/split_report\.[0-9a-f]{12}\.wasm$/.test(path))).toHaveLength(1);

  await bar.getByRole('link', { name: 'Prompts' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Prompts' })).toBeVisible();
  await expect(page.locator('body[data-same-document]')).toBeAttached();
  expect(fetched).toHaveLength(after);
});

test('every page comes alive when it is the first', async ({ page, project }) => {
  test.setTimeout(90_000);
  for (const path of pages) {
    await page.goto(project.at(path));
    await hydrated(page);
  }
});

test.describe('without the file of a page', () => {
  test.use({ expectedComplaints: [/split_|Failed to fetch|Failed to load resource/] });

  test('a link leads to what the server sends, which stays as it is', async ({ page, project }) => {
    await page.route('**/pkg/split_*', (route) => route.abort());
    await page.goto(project.at('runs'));
    await hydrated(page);
    await page.evaluate(() => document.body.setAttribute('data-same-document', ''));
    await page.getByRole('navigation').first().getByRole('link', { name: 'Anomalies' }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'Anomalies' })).toBeVisible();
    await expect(page.locator('body[data-same-document]')).not.toBeAttached();
    expect(new URL(page.url()).pathname).toBe(project.at('anomalies'));
    await page.getByRole('navigation').first().getByRole('link', { name: 'Runs' }).click();
    await hydrated(page);
  });
});
