import { expect, test } from '../harness/test';

test('what would be hidden is previewed, saved, and hidden from then on', async ({ page, project }) => {
  const step = (id: string) => ({
    run_id: 'r1', step_id: id, step_name: 'answer', model: 'claude-haiku-4-5', prompt: 'Write to mara@acme.dev about ACME-1042.',
  });
  await project.ingest(step('before'));
  await page.goto(project.at('settings/redaction'));
  await expect(page.getByText('Nothing was hidden in the last 30 days.')).toBeVisible();
  await page.getByLabel('E-mail addresses').selectOption('mask');
  await page.getByLabel('Patterns of your own').fill('ticket mask (');
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.getByRole('alert')).toContainText('is no regular expression that can be used');
  await page.getByLabel('Patterns of your own').fill('ticket mask ACME-\\d+');
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.getByRole('status')).toContainText('This would have hidden 2 values in 1 step');
  await expect(page.getByLabel('E-mail addresses')).toHaveValue('mask');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status').first()).toContainText('Saved');

  await project.ingest(step('after'));
  await page.reload();
  await expect(page.getByRole('row', { name: /ticket/ })).toContainText('1');
  await page.goto(project.at('runs/r1?step=after'));
  await expect(page.getByText('Write to [hidden email] about [hidden ticket].').first()).toBeVisible();
});
