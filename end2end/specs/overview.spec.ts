import { expect, noSidewaysScroll, test } from '../harness/test';
import { month, ship } from '../harness/trends';

test('an empty project shows how to send the first step', async ({ page, project }) => {
  await page.goto(project.at(''));
  await expect(page.getByRole('heading', { name: 'Send the first step' })).toBeVisible();
});

test('the deploy that raised the bill is named without a click and without a script', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(`/p/${project.slug}`);
  const verdict = page.getByRole('region', { name: 'In short' });
  await expect(verdict.getByRole('heading')).toContainText(/After PR 2 cost per call of e2e rose ×2\.[56]: \$0\.008\d → \$0\.02\d\d/);
  await expect(verdict).toContainText('switch summary endpoint to a <larger> model');
  await expect(verdict).toContainText('made-up-large went from 0 % to 100 % of its calls');
  // The chart is there as SVG, with the three deploys as one marker.
  await expect(page.locator('.ch-marks path.line').first()).toBeAttached();
  const marker = page.locator('a.ch-marker');
  await expect(marker).toHaveCount(1);
  await expect(marker).toHaveAttribute('aria-label', /PR 1.*PR 2.*PR 3/);
  await noSidewaysScroll(page);

  // The cells are the chart's tabs.
  await page.getByRole('tab', { name: /Latency p95/ }).click();
  await expect(page.getByRole('heading', { name: 'Latency p95 per day, by key' })).toBeVisible();
  await page.getByRole('group', { name: 'Split by' }).getByRole('link', { name: 'Model' }).click();
  await expect(page).toHaveURL(/metric=latency_p95&by=model/);
  await expect(page.locator('.ch-ends')).toContainText('made-up-large');

  // Cell, table, API and CSV say the same.
  await page.goto(`/p/${project.slug}?metric=calls&view=table`);
  const cell = await page.getByRole('tab', { name: /^Calls/ }).locator('.kpi-value').innerText();
  const rows = await page.locator('.ch-table tbody td').allInnerTexts();
  const sum = rows.filter((text) => /^[\d,]+$/.test(text)).reduce((total, text) => total + Number(text.replace(/,/g, '')), 0);
  expect(Number(cell.replace(/,/g, ''))).toBe(sum);
  const csv = await (await request.get((await page.getByRole('link', { name: 'CSV' }).getAttribute('href')) ?? '')).text();
  const counted = csv.trim().split('\r\n').slice(1).reduce((total, line) => total + Number(line.split(',').pop()), 0);
  expect(counted).toBe(sum);

  await verdictLink(page);
  await expect(page.getByRole('heading', { level: 1, name: 'PR 2' })).toBeVisible();
});

async function verdictLink(page: import('@playwright/test').Page): Promise<void> {
  await page.getByRole('region', { name: 'In short' }).getByRole('heading').getByRole('link').click();
}

test('a window without calls says so and leads out', async ({ page, project }) => {
  await project.ingest({ step_name: 'answer', started_at: new Date(Date.now() - 3 * 86_400_000).toISOString(), cost: 0.01 });
  await page.goto(`/p/${project.slug}?range=15m`);
  await expect(page.getByText('No call in these 15 minutes')).toBeVisible();
  await page.getByRole('link', { name: 'Show the last 30 days' }).click();
  // One point alone is drawn.
  await expect(page.locator('.ch-marks circle').first()).toBeAttached();
});

test('the list and the page of deploys say what each moved', async ({ page, project, server, request }) => {
  await page.goto(project.at('deploys'));
  await expect(page.getByText('No deploy is recorded yet')).toBeVisible();
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at('deploys'));
  await expect(page.getByRole('heading', { level: 2 }).first()).toContainText('Something got clearly worse after 1 of 3 deploys in 90 days; after PR 2');
  const row = page.getByRole('row', { name: /switch summary endpoint/ });
  await expect(row).toContainText('×2.');
  await noSidewaysScroll(page);
  await row.getByRole('link').click();
  const measures = page.getByRole('region', { name: 'Before and after' });
  await expect(measures.getByRole('row', { name: /Cost per call/ })).toContainText('×2.');
  await expect(page.getByRole('region', { name: 'Steps', exact: true }).getByText('switched')).toBeVisible();
  await expect(page.getByRole('region', { name: 'Releases', exact: true }).getByText('this deploy')).toBeVisible();
  await noSidewaysScroll(page);
});
