import { expect, test } from '../harness/test';

test('a budget is set, stands beside the forecast, and is removed', async ({ page, project }) => {
  const at = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString();
  await project.ingest(
    ...[0, 1, 2, 3, 4, 5].map((daysAgo) => ({
      run_id: `r${daysAgo}`, step_id: 's', step_name: 'answer', model: 'claude-haiku-4-5', started_at: at(daysAgo),
      input_tokens: 1_000_000, output_tokens: 0,
    })),
  );
  await page.goto(project.at('settings/budgets'));
  await expect(page.getByRole('region', { name: 'This month' }).first()).toContainText('is expected to end at');

  await page.getByLabel('Dollars a month').fill('much');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('A budget is a number of dollars above 0');

  await page.getByLabel('Dollars a month').fill('900');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  const row = page.getByRole('row', { name: /All keys/ });
  await expect(row).toContainText('$900.00');

  await page.goto(project.at(''));
  await expect(page.getByRole('region', { name: 'This month' })).toContainText('The budget of $900.00');
  await page.getByRole('region', { name: 'This month' }).getByRole('link', { name: 'Budgets' }).click();
  await row.getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('status')).toContainText('The budget is removed');
});
