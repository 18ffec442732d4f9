import { expect, test } from '../harness/test';
import { month, ship, switchedAt } from '../harness/trends';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('the figures are compared with the window before, or around a deploy', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at(''));
  const cost = page.getByRole('tab', { name: /^Cost\b(?! per)/ });
  await expect(cost.locator('.kpi-delta')).toHaveText('none before');
  await page.getByText('Compare period before').click();
  await page.getByRole('link', { name: /^Before PR 2/ }).click();
  await expect(page).toHaveURL(/against=pr-2/);
  await expect(page.getByText('the figures above are since PR 2, against as long before it', { exact: false })).toBeVisible();
  await expect(page.getByText('cost since PR 2, against as long before it')).toBeVisible();

  // The same two sums, hour by hour.
  const middle = Math.round(switchedAt(now) / HOUR) * HOUR;
  const to = (Math.floor(now / DAY) + 1) * DAY;
  const sum = async (from: number, until: number) => {
    const path = `/api/series?project=${project.slug}&metric=cost&bucket=1h&from=${new Date(from).toISOString()}&to=${new Date(until).toISOString()}`;
    const { series } = (await (await request.get(path)).json()) as { series: { points: [string, number, number][] }[] };
    return (series[0]?.points ?? []).reduce((total, point) => total + point[1], 0) / 1e9;
  };
  const [before, after] = [await sum(2 * middle - to, middle), await sum(middle, to)];
  await expect(cost).toHaveAttribute('title', new RegExp(`^Cost: \\$${after.toFixed(4).replace(/0+$/, '').replace('.', '\\.')}`));
  await expect(cost.locator('.kpi-delta')).toContainText(`was $${before.toFixed(2)}`);

  // It stays through a choice of another metric, and is taken back.
  await page.getByRole('tab', { name: /Latency p95/ }).click();
  await expect(page).toHaveURL(/metric=latency_p95&against=pr-2/);
  await page.getByText('Compare since PR 2').click();
  await page.getByRole('link', { name: 'The period before' }).click();
  await expect(page).not.toHaveURL(/against/);
});

test('behind the line is what is usual at that time of the week', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at('?metric=cost_per_call'));
  await expect(page.locator('.ch-marks path.ch-usual').first()).toBeAttached();
  await expect(page.getByText(/shaded: usual cost per call of e2e at that day of the week/)).toBeVisible();
  await page.goto(project.at('?metric=cost_per_call&view=table'));
  const table = page.locator('.ch-table');
  await expect(table.locator('thead')).toContainText('Usually');
  // Eight days ago the price rose; what was usual before does not reach it.
  const rows = table.locator('tbody tr');
  const dollars = (text: string) => Number(text.replace(/[^0-9.]/g, ''));
  const cells = await rows.nth(6).locator('td').allInnerTexts();
  expect(dollars(cells[0] ?? '')).toBeGreaterThan(dollars((cells[1] ?? '').split(' to ')[1] ?? ''));
  // A quarter of an hour has no week.
  await page.goto(project.at('?range=15m'));
  await expect(page.locator('.ch-marks path.ch-usual')).toHaveCount(0);
});
