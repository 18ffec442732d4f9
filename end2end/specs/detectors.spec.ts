import { expect, test } from '../harness/test';

/** A run that calls a tool three times with the same input. */
const repeats = (run: string) =>
  ['a', 'b', 'c'].map((id, nth) => ({
    run_id: run, step_id: id, step_name: 'fetch order', kind: 'tool' as const, tool_name: 'orders.fetch', prompt: 'order 4711', output_code: 'ok',
    started_at: new Date(Date.now() - 5_000 + nth * 1_000).toISOString(), latency_ms: 20,
  }));

test('a detector is made, finds something, and its precision is what people say', async ({ page, project }) => {
  test.setTimeout(60_000);
  await page.goto(project.at('detectors'));
  await expect(page.getByText('Nothing judges your runs yet')).toBeVisible();
  await page.getByRole('link', { name: 'Tool repeated' }).click();
  await page.getByLabel('Name').fill('Same tool, same input');
  await page.getByRole('button', { name: 'Make detector' }).click();
  await expect(page.getByRole('alert')).toContainText('Without conditions it judges every run');

  await page.getByLabel('Name').fill('Same tool, same input');
  await page.getByLabel('Without conditions: judge every run').check();
  await page.getByRole('button', { name: 'Make detector' }).click();
  await expect(page.getByRole('status')).toContainText('It judges runs that end from now on');
  await expect(page.getByRole('heading', { level: 1, name: 'Same tool, same input' })).toBeVisible();

  await project.ingest(...repeats('r1'));
  const said = 'orders.fetch was called 3 times with one input';
  await expect(async () => {
    await page.goto(project.at('detectors'));
    await expect(page.getByRole('link', { name: said })).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 40_000 });

  await page.getByRole('link', { name: said }).click();
  await expect(page.getByRole('heading', { level: 2, name: said })).toBeVisible();
  await page.getByRole('button', { name: 'Noise' }).click();
  await expect(page.getByRole('button', { name: 'Noise' })).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByText('0 % of 1 were real')).toBeVisible();

  // The step that it shows, on the run, which says what was found in it.
  await page.getByRole('region', { name: 'What shows it' }).getByRole('link', { name: 'orders.fetch' }).first().click();
  await expect(page).toHaveURL(/\/runs\/r1\?step=a/);
  await expect(page.getByRole('link', { name: said })).toBeVisible();

  await page.goto(project.at('detectors'));
  await expect(page.getByRole('row', { name: /Same tool, same input.*0 %\s*of 1/ })).toBeVisible();
  await page.getByRole('link', { name: 'All findings' }).click();
  await expect(page.getByRole('row', { name: /Same tool, same input.*noise/ }).getByRole('link', { name: said })).toBeVisible();
  await page.getByLabel('Is it real?').selectOption('unmarked');
  await page.getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('Nothing found')).toBeVisible();
  await page.getByRole('link', { name: 'Show all findings' }).click();
  await page.getByRole('button', { name: 'Real', exact: true }).click();
  await expect(page).toHaveURL(/\/findings$/);
  await expect(page.getByRole('button', { name: 'Real', exact: true })).toHaveAttribute('aria-pressed', 'true');
  await page.goto(project.at('detectors'));
  await page.getByRole('button', { name: 'Same tool, same input on' }).click();
  await expect(page.getByRole('status')).toContainText('It is off');
});

test('what a detector would have found is tried on the runs that there are', async ({ page, project }) => {
  await project.ingest(...repeats('r1'), ...repeats('r2').slice(0, 2));
  await page.goto(`${project.at('detectors')}?new=repeated_tool`);
  await page.getByLabel('Name').fill('Again');
  await page.getByLabel('Without conditions: judge every run').check();
  await page.getByRole('button', { name: 'Make detector' }).click();
  await page.getByRole('link', { name: 'Try on 50 runs' }).click();
  await expect(page.getByRole('region', { name: /It would have found 1 in the last 2 runs/ })).toBeVisible();

  await page.getByRole('button', { name: 'Delete detector' }).click();
  await expect(page.getByRole('status')).toContainText('The detector and its findings are deleted');
});
