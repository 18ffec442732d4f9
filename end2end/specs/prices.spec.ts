import { expect, test } from '../harness/test';

test('a model without a price is named, priced in the form, and history is priced again', async ({ page, project }) => {
  await project.ingest(
    { run_id: 'own', step_id: 'a', step_name: 'answer', model: 'own-7b', input_tokens: 1_000_000, output_tokens: 500_000 },
    { run_id: 'own', step_id: 'b', step_name: 'answer', model: 'own-7b', input_tokens: 2_000_000, output_tokens: 0 },
  );
  await page.goto(project.at('runs'));
  const banner = page.getByRole('note').filter({ hasText: 'own-7b' });
  await expect(banner).toContainText('the cost of 2 calls is unknown');
  await banner.getByRole('link', { name: 'Add a price' }).click();
  await expect(page.getByLabel('Model', { exact: true })).toHaveValue('own-7b');

  await page.getByLabel('Input').fill('three');
  await page.getByLabel('Output').fill('4');
  await page.getByRole('button', { name: 'Save the price' }).click();
  await expect(page.getByRole('alert')).toContainText('A rate must be a number of dollars per million tokens');
  await expect(page.getByLabel('Model', { exact: true })).toHaveValue('own-7b');
  await expect(page.getByLabel('Output')).toHaveValue('4');

  await page.getByLabel('Input').fill('2');
  await page.getByLabel('From (UTC)').fill('2020-01-01');
  await page.getByRole('button', { name: 'Save the price' }).click();
  await expect(page.getByRole('status')).toContainText('The price is saved');
  await expect(page.getByLabel('Only this model')).toHaveValue('own-7b');

  await page.getByRole('button', { name: 'Preview' }).click();
  const finished = (words: string) =>
    expect
      .poll(async () => {
        await page.reload();
        return page.getByRole('listitem').filter({ hasText: words }).count();
      })
      .toBe(1);
  await finished('2 of 2 calls would change: unknown would become $8.00.');
  await page.goto(project.at('runs/own'));
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('unknown');

  await page.goto(project.at('settings/prices'));
  await page.getByRole('button', { name: 'Re-price' }).click();
  await finished('2 of 2 calls changed: unknown became $8.00.');
  await expect(page.getByRole('heading', { name: 'Every call of the last 90 days has a price' })).toBeVisible();
  await page.goto(project.at('runs/own?step=a'));
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('$8.00');
  const receipt = page.getByRole('region', { name: 'Receipt' });
  await expect(receipt).toContainText('computed from prices');
  await expect(receipt.getByRole('row', { name: /Input, fresh/ })).toContainText('1,000,000');
  await expect(receipt.getByRole('row', { name: /Input, fresh/ })).toContainText('$2 / M');
  await expect(receipt.getByRole('row', { name: /Output/ })).toContainText('$2');
  await expect(receipt.getByRole('row', { name: /^Cost/ })).toContainText('$4');
  // The run has two such calls.
  const whole = page.getByRole('region', { name: 'Cost by bucket' });
  await expect(whole.getByRole('row', { name: /Input, fresh/ })).toContainText('3,000,000');
  await expect(whole.getByRole('row', { name: /^Cost/ })).toContainText('$8');

  await page.goto(project.at('settings/prices'));
  await page.locator('summary').filter({ hasText: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete the price' }).click();
  await expect(page.getByRole('status')).toContainText('The price is deleted');
});

test('the shipped list is searched, and says where each price comes from', async ({ page, project }) => {
  await page.goto(project.at('settings/prices'));
  await page.getByLabel('Provider or model').fill('anthropic haiku-4-5');
  await page.getByRole('button', { name: 'Find' }).click();
  const row = page.getByRole('region', { name: 'Shipped prices' }).getByRole('row', { name: /claude-haiku-4-5/ }).first();
  await expect(row).toContainText('$1');
  await expect(row).toContainText('$5');
  await page.getByLabel('Provider or model').fill('no such model');
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(page.getByText('No shipped price matches “no such model”')).toBeVisible();
});

test('a cost the client reports stands beside ours when they differ', async ({ page, project }) => {
  await project.ingest({ run_id: 'differs', step_id: 's', model: 'gpt-4o-mini', input_tokens: 1_000_000, output_tokens: 0, cost: 0.2 });
  await page.goto(project.at('runs/differs?step=s'));
  const receipt = page.getByRole('region', { name: 'Receipt' });
  await expect(receipt.getByRole('row', { name: /Reported by the client/ })).toContainText('+33.3 %');
  await expect(receipt.getByRole('row', { name: /^Cost/ })).toContainText('$0.15');
  await expect(page.getByRole('region', { name: 'Cost by bucket' })).toContainText('+33.3 % of the computed cost');
  await page.goto(project.at('settings/ledger'));
  const stated = page.getByRole('region', { name: 'Costs that were stated as well' });
  await expect(stated.getByRole('row', { name: /gpt-4o-mini/ })).toContainText('+33.3 %');
});
