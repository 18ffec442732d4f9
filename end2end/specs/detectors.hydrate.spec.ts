import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('the pages of detectors come alive, and nothing is wrong for anybody', async ({ page, project }) => {
  test.setTimeout(90_000);
  await page.goto(`${project.at('detectors')}?new=hallucination`);
  await hydrated(page);
  await axe(page);
  await page.getByLabel('Name').fill('Invented order data');
  await page.getByLabel('Condition 1: what').fill('total_tokens');
  await page.getByLabel('Condition 1: how').selectOption('>');
  await page.getByLabel('Condition 1: value').fill('2000');
  await page.getByRole('button', { name: 'Make detector' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Invented order data' })).toBeVisible();
  await hydrated(page);
  await expect(page.getByText('total_tokens > 2000')).toBeVisible();
  await axe(page);
  await shots(page, 'detector');

  await page.getByRole('navigation').first().getByRole('link', { name: 'Detectors' }).click();
  await expect(page.getByRole('row', { name: /Invented order data/ })).toContainText('of $0.5000');
  await hydrated(page);
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'detectors');
  await page.goto(`${project.at('findings')}?mark=real&days=7`);
  await hydrated(page);
  await expect(page.getByText('No finding is of that detector, mark and time')).toBeVisible();
  await axe(page);
  await noSidewaysScroll(page);
});
