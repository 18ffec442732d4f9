import { fortnight } from '../harness/fortnight';
import { expect, test } from '../harness/test';

test('without script the page says what rose, and every number leads to its steps', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.goto(project.at('anomalies'));
  const inShort = page.getByRole('region', { name: 'In short' });
  await expect(inShort.getByRole('heading')).toContainText('parse-request');
  await expect(inShort.getByRole('heading')).toContainText('the week before');
  await expect(inShort).toContainText('It rose on');
  await expect(inShort).toContainText('with prompt template');

  const matrix = page.getByRole('region', { name: 'Conditions by code and step' });
  const row = matrix.getByRole('row', { name: /json_contract_violation/ });
  const cell = row.getByRole('link', { name: /on parse-request/ });
  const count = Number(await cell.textContent());
  await cell.click();
  await expect(page).toHaveURL(/step=parse-request&code=2001&show=steps/);
  const steps = page.getByRole('region', { name: 'Steps and their conditions' }).getByRole('row');
  await expect(steps).toHaveCount(count + 1);
  await steps.nth(1).getByRole('link', { name: 'parse-request' }).click();
  await expect(page).toHaveURL(/runs\/brokenJson-13-\d+\?step=only/);
});

test('without script the chart is split, narrowed and read as a table by links', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.goto(project.at('anomalies'));
  const over = page.getByRole('region', { name: /Conditions per day/ });
  await expect(over.locator('.ch-marks rect.layer-2')).not.toHaveCount(0);
  await over.getByRole('link', { name: 'Step', exact: true }).click();
  await expect(over.locator('.legend')).toContainText('tag-document');
  await over.getByRole('link', { name: 'Show the numbers (t)' }).click();
  await expect(over.getByRole('columnheader', { name: 'parse-request' })).toBeVisible();
  await expect(over.getByRole('row')).toHaveCount(15);

  await page.goto(project.at('anomalies'));
  await page.getByRole('region', { name: 'By layer' }).getByRole('link', { name: '1 Hard failure' }).click();
  await expect(page.getByRole('group', { name: 'Filters' })).toContainText('1 Hard failure');
  await expect(page.getByRole('row', { name: /json_contract_violation/ })).toHaveCount(0);
  await page.getByRole('link', { name: 'Remove layer filter' }).click();
  await expect(page.getByRole('row', { name: /json_contract_violation/ })).toBeVisible();
  await page.getByRole('link', { name: 'Previous window ([)' }).click();
  await expect(page).toHaveURL(/until=/);
  await page.getByRole('link', { name: 'Next window (])' }).click();
  await expect(page).not.toHaveURL(/until=/);
});

test('without script a condition is marked, and a code muted and unmuted', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.goto(project.at('anomalies?code=2003&show=steps'));
  const row = page.getByRole('region', { name: 'Steps and their conditions' }).getByRole('row').nth(1);
  await row.getByRole('button', { name: 'Noise' }).click();
  await expect(row.getByRole('button', { name: 'Noise' })).toHaveAttribute('aria-pressed', 'true');
  await page.goto(project.at('anomalies'));
  const code = page.getByRole('row', { name: /enum_contract_violation/ });
  await expect(code).toContainText('0 %');
  await expect(code).toContainText('of 1');

  await code.getByRole('button', { name: /^Mute 2003/ }).click();
  await expect(page.getByRole('status')).toContainText('2003 enum_contract_violation is muted');
  await expect(code).toContainText('muted');
  await page.getByRole('status').getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('status')).toContainText('is no longer muted');

  await page.goto(project.at('anomalies?code=2003&show=steps'));
  await row.getByRole('link').first().click();
  const condition = page.getByRole('region', { name: 'Score' }).getByRole('listitem').first();
  await expect(condition.getByRole('button', { name: /^Noise/ })).toHaveAttribute('aria-pressed', 'true');
  await condition.getByRole('button', { name: /^Noise/ }).click();
  await expect(condition.getByRole('button', { name: /^Noise/ })).toHaveAttribute('aria-pressed', 'false');
});

test('an empty page says how to begin, what is hidden, and what to clear', async ({ page, project }) => {
  await page.goto(project.at('anomalies'));
  await expect(page.getByRole('heading', { name: 'Send the first step' })).toBeVisible();
  await project.ingest({ output_tokens: 6 });
  await page.reload();
  await expect(page.getByText('Nothing found yet')).toBeVisible();
  await project.ingest(...fortnight(Date.now()).slice(-4));
  await page.goto(project.at('anomalies?model=gpt-9'));
  await expect(page.getByText('No condition of the last 7 days matches model is gpt-9')).toBeVisible();
  await page.getByRole('link', { name: 'Clear this filter' }).click();
  await expect(page.getByRole('region', { name: 'In short' })).toBeVisible();
});
