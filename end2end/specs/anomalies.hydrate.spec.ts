import { fortnight } from '../harness/fortnight';
import { expect, hydrated, looksRight, noSidewaysScroll, test } from '../harness/test';

test.describe.configure({ timeout: 90_000 });

test('the chart becomes a canvas without moving, follows the theme and answers the pointer', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.goto(project.at('anomalies'));
  const plot = page.locator('.ch-plot');
  const before = await plot.boundingBox();
  await hydrated(page);
  await expect(plot.locator('.ch-marks rect')).toHaveCount(0);
  expect(await plot.boundingBox()).toEqual(before);
  const pixels = () => plot.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await pixels();
  await page.emulateMedia({ colorScheme: 'light' });
  await expect.poll(pixels).not.toBe(dark);
  expect(await plot.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.width)).toBe(Math.round(before?.width ?? 0));

  await plot.hover({ position: { x: (before?.width ?? 0) * 0.96, y: 60 } });
  await expect(plot.locator('.ch-tip')).toContainText('conditions');
  await page.keyboard.press('t');
  await expect(page.getByRole('region', { name: 'Conditions per day by layer' }).getByRole('table')).toBeVisible();
  await page.keyboard.press('t');
  await expect(plot).toBeVisible();
});

test('marking keeps the page as it is, and keys lead from window to window', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.goto(project.at('runs'));
  await hydrated(page);
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await expect(page).toHaveURL(project.at('anomalies'));
  const row = page.getByRole('region', { name: 'Steps and their conditions' }).getByRole('row').nth(1);
  const real = row.getByRole('button', { name: 'Real' });
  const answered = page.waitForResponse(/conditions\/feedback/);
  await real.click();
  await expect(real).toHaveAttribute('aria-pressed', 'true');
  await answered;
  // What people say is counted at once, and nothing moves.
  await expect(real).toBeFocused();
  await expect(page.getByRole('region', { name: 'In short' })).toContainText('Of 1 marked condition in 90 days 0 % was noise');
  const precision = page.getByRole('region', { name: 'Conditions by code and step' }).locator('td.m-pr', { hasText: '100 %' });
  await expect(precision).toContainText('of 1');
  await page.reload();
  await expect(real).toHaveAttribute('aria-pressed', 'true');
  await hydrated(page);
  await page.keyboard.press('[');
  await expect(page).toHaveURL(/until=/);
  await page.keyboard.press(']');
  await expect(page).toHaveURL(new RegExp(`${project.at('anomalies')}\\??$`));
});

test('on a phone key and model narrow the page too', async ({ page, project }) => {
  await project.ingest(...fortnight(Date.now()));
  await page.setViewportSize({ width: 390, height: 900 });
  await page.goto(project.at('anomalies'));
  await hydrated(page);
  await page.locator('summary', { hasText: 'All models' }).click();
  await page.getByRole('link', { name: 'claude-sonnet-4-6' }).click();
  await expect(page.getByRole('group', { name: 'Filters' })).toContainText('claude-sonnet-4-6');
  await page.locator('summary', { hasText: 'All keys' }).click();
  await expect(page.getByRole('link', { name: 'All keys' })).toBeVisible();
  await noSidewaysScroll(page);
});

test('the page looks right in both themes and on a phone', async ({ page, project }) => {
  // axe on pages with thousands of elements.
  test.setTimeout(180_000);
  await project.ingest(...fortnight(Date.now()));
  for (const [name, path] of [
    ['anomalies', 'anomalies'],
    ['anomalies-steps', 'anomalies?code=2001&step=parse-request&show=steps'],
    ['anomalies-table', 'anomalies?by=step&view=table'],
    ['anomalies-nothing', 'anomalies?model=gpt-9'],
  ] as const) {
    await page.goto(project.at(path));
    await hydrated(page);
    await looksRight(page, name);
  }
});
