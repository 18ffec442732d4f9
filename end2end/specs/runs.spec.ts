import { demoSteps } from '../harness/demo';
import { expect, test } from '../harness/test';

test('a typed term becomes a chip in the address and goes away again', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at('runs'));
  await expect(page.locator('tr[data-run]')).toHaveCount(17);

  await page.getByLabel('Add a filter').fill('cost > 0.05');
  await page.getByRole('button', { name: 'Add the filter' }).press('Enter');
  await expect(page.locator('.chip')).toHaveText(/cost\s*≥\s*\$0\.05/);
  await expect(page.locator('tr[data-run]')).toHaveCount(1);
  await page.getByRole('group', { name: 'Severity' }).getByRole('link', { name: 'All' }).click();
  await expect(page).toHaveURL(/cost_min=0\.05/);
  await expect(page.locator('tr[data-run]')).toHaveCount(1);

  await page.getByRole('link', { name: 'Remove cost filter' }).click();
  await expect(page.locator('.chip')).toHaveCount(0);
  await expect(page.locator('tr[data-run]')).toHaveCount(17);
});

test('a term that can not be read is said and filters nothing', async ({ page, project }) => {
  await project.ingest({ run_id: 'a' });
  await page.goto(project.at('runs?add=cost+%3E+cheap'));
  await expect(page.getByRole('alert')).toContainText('cost is an amount in dollars');
  await expect(page.locator('tr[data-run]')).toHaveCount(1);
});

test('each tab shows as many runs as it says', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at('runs'));
  const tabs = page.getByRole('group', { name: 'Severity' }).getByRole('link');
  await expect(tabs).toHaveText([/All\s*17/, /Critical\s*1/, /Warning\s*\d+/, /Failed\s*1/, /Running\s*1/]);
  for (const index of [1, 2, 3, 4, 0]) {
    const count = Number(/\d+$/.exec(await tabs.nth(index).innerText())?.[0]);
    await tabs.nth(index).click();
    await expect(tabs.nth(index)).toHaveAttribute('aria-current', 'true');
    await expect(page.locator('tr[data-run]')).toHaveCount(count);
  }
});

test('an empty list names the filter that hides the runs, and one click clears it', async ({ page, project }) => {
  await project.ingest({ run_id: 'a' }, { run_id: 'b' });
  await page.goto(project.at('runs?model=gpt-9'));
  await expect(page.getByText('model is gpt-9 hides all 2 runs of the last 24 hours')).toBeVisible();
  await page.getByRole('link', { name: 'Clear this filter' }).click();
  await expect(page.locator('tr[data-run]')).toHaveCount(2);
});

test('older pages bring every run exactly once', async ({ page, project }) => {
  const began = Date.now() - 600_000;
  const wanted = Array.from({ length: 120 }, (_, index) => `r${index}`);
  await project.ingest(...wanted.map((run_id, index) => ({ run_id, started_at: new Date(began + index * 1_000).toISOString() })));
  const found: string[] = [];
  await page.goto(project.at('runs'));
  for (;;) {
    found.push(...(await page.locator('tr[data-run]').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-run') ?? ''))));
    const older = page.getByRole('link', { name: 'Load 50 older' });
    if ((await older.count()) === 0) break;
    await older.click();
  }
  expect(found).toEqual(wanted.reverse());
});

test('the window of time and the columns are links', async ({ page, project }) => {
  await project.ingest({ run_id: 'new' }, { run_id: 'old', started_at: new Date(Date.now() - 3 * 86_400_000).toISOString() });
  await page.goto(project.at('runs'));
  await expect(page.locator('tr[data-run]')).toHaveCount(1);
  await page.locator('summary', { hasText: '24 hours' }).click();
  await page.getByRole('link', { name: '7 days' }).click();
  await expect(page).toHaveURL(/range=7d/);
  await expect(page.locator('tr[data-run]')).toHaveCount(2);

  await page.locator('summary', { hasText: 'Columns' }).click();
  await page.getByRole('link', { name: 'Show Session' }).click();
  await expect(page.getByRole('columnheader', { name: 'Session' })).toBeVisible();
});
