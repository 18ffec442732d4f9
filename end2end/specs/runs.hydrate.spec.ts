import { expect, hydrated, makeProject, startServer, test } from '../harness/test';

/** Runs named r0, r1, …, a second apart, the last one the newest. */
const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    run_id: `r${index}`,
    step_name: `run-${index}`,
    started_at: new Date(Date.now() - (count - index) * 1_000).toISOString(),
  }));

test('filters change the list and the address without a new page, and Back undoes them', async ({ page, project }) => {
  await project.ingest(...numbered(3), { run_id: 'bad', step_name: 'failing', status_success: false, error: 'timeout' });
  await page.goto(project.at('runs'));
  await hydrated(page);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));

  await page.keyboard.press('/');
  await expect(page.getByLabel('Add a filter')).toBeFocused();
  await page.keyboard.type('failed');
  await page.keyboard.press('Enter');
  await expect(page.locator('.chip')).toHaveText(/status\s*is\s*failed/);
  await expect(page.locator('tr[data-run]')).toHaveCount(1);
  await expect(page).toHaveURL(/status=error/);

  await page.getByRole('link', { name: 'Remove status filter' }).click();
  await expect(page.locator('tr[data-run]')).toHaveCount(4);
  await page.goBack();
  await expect(page.locator('.chip')).toHaveCount(1);
  await expect(page.locator('tr[data-run]')).toHaveCount(1);

  await page.getByLabel('Add a filter').fill('cost > cheap');
  await page.getByLabel('Add a filter').press('Enter');
  await expect(page.getByRole('alert')).toContainText('cost is an amount in dollars');
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
});

test('"Load 50 older" appends every run exactly once', async ({ page, project }) => {
  await project.ingest(...numbered(120));
  await page.goto(project.at('runs'));
  await hydrated(page);
  const rows = page.locator('tr[data-run]');
  await expect(rows).toHaveCount(50);
  const older = page.getByRole('link', { name: 'Load 50 older' });
  await older.click();
  await expect(rows).toHaveCount(100);
  await older.click();
  await expect(rows).toHaveCount(120);
  await expect(older).toHaveCount(0);
  const ids = await rows.evaluateAll((all) => all.map((row) => row.getAttribute('data-run')));
  expect(ids).toEqual(Array.from({ length: 120 }, (_, index) => `r${119 - index}`));
});

test('with the live tail on, new runs appear above a divider and the old rows stay', async ({ page, project }) => {
  await project.ingest(...numbered(2));
  await page.goto(project.at('runs'));
  await hydrated(page);
  await expect(page.getByText('live', { exact: true })).toBeVisible();
  await page.getByRole('link', { name: 'Live tail' }).click();
  await expect(page).toHaveURL(/live=1/);

  await project.ingest({ run_id: 'fresh', step_name: 'just-now' });
  await expect(page.getByText(/^1 run since you opened this page/)).toBeVisible();
  await expect(page.locator('tbody tr')).toHaveText([/just-now/, /1 run since/, /run-1/, /run-0/]);

  await project.ingest({ run_id: 'fresh', step_name: 'just-now', status_success: false, error: 'overloaded' });
  await expect(page.locator('tr[data-run="fresh"]')).toContainText('overloaded');
  await expect(page.locator('tr[data-run]')).toHaveCount(3);
});

test('j, k and Enter walk the list', async ({ page, project }) => {
  await project.ingest(...numbered(3));
  await page.goto(project.at('runs'));
  await hydrated(page);
  const focused = page.locator('tr[aria-selected="true"]');
  await page.keyboard.press('j');
  await expect(focused).toHaveAttribute('data-run', 'r2');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await expect(focused).toHaveAttribute('data-run', 'r0');
  await page.keyboard.press('k');
  await expect(focused).toHaveAttribute('data-run', 'r1');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(project.at('runs/r1'));
  await expect(page.getByRole('heading', { level: 1, name: 'run-1' })).toBeVisible();
});

test('choosing a window of time changes the list and closes the menu', async ({ page, project }) => {
  await project.ingest({ run_id: 'new' }, { run_id: 'old', started_at: new Date(Date.now() - 3 * 86_400_000).toISOString() });
  await page.goto(project.at('runs'));
  await hydrated(page);
  const menu = page.locator('details', { hasText: '24 hours' }).locator('summary');
  await menu.click();
  await page.getByRole('link', { name: '7 days' }).click();
  await expect(page.locator('tr[data-run]')).toHaveCount(2);
  await expect(page.getByRole('link', { name: '30 days' })).toBeHidden();
});

test.describe('when the server goes away', () => {
  test.use({ expectedComplaints: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/] });

  test('the page says since when it is no longer live, and keeps its rows', async ({ page, request }) => {
    const server = await startServer('server-stale');
    try {
      const project = await makeProject(request, server.url);
      await project.ingest(...numbered(2));
      await page.goto(`${server.url}${project.at('runs')}`);
      await hydrated(page);
      await expect(page.getByText('live', { exact: true })).toBeVisible();
      await server.stop();
      await expect(page.getByText(/^not live since \d\d:\d\d:\d\d$/)).toBeVisible();
      await expect(page.locator('tr[data-run]')).toHaveCount(2);
    } finally {
      await server.stop();
    }
  });
});
