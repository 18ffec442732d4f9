import { axe, expect, hydrated, shots, test } from '../harness/test';
import { month, ship } from '../harness/trends';

const DAY = 86_400_000;

test('the chart is read with the pointer, with the keyboard and as a table', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(`/p/${project.slug}`);
  await hydrated(page);
  await axe(page);
  await shots(page, 'overview');
  const canvas = page.locator('.ch-canvas');
  await expect.poll(() => canvas.evaluate((c: HTMLCanvasElement) => c.width)).toBeGreaterThan(300);
  // Sharp: one pixel of the canvas is one of the screen.
  const ratio = await canvas.evaluate((c: HTMLCanvasElement) => c.width / c.clientWidth / window.devicePixelRatio);
  expect(ratio).toBeCloseTo(1, 1);

  const plot = page.locator('.ch-over');
  const box = await plot.boundingBox();
  if (box === null) throw new Error('no plot');
  await page.mouse.move(box.x + box.width * 0.5, box.y + 100);
  await expect(plot.locator('.ch-tip')).toContainText('e2e');
  await page.mouse.move(0, 0);
  await expect(plot.locator('.ch-tip')).toHaveCount(0);

  const cursor = page.getByRole('slider', { name: 'Moment' });
  await cursor.focus();
  await page.keyboard.press('Home');
  const first = await cursor.getAttribute('aria-valuetext');
  await page.keyboard.press('ArrowRight');
  await expect(cursor).toHaveAttribute('aria-valuenow', '1');
  expect(await cursor.getAttribute('aria-valuetext')).not.toBe(first);
  await expect(plot.locator('.ch-cross')).toBeAttached();

  await page.keyboard.press('t');
  await expect(page).toHaveURL(/view=table/);
  await expect(page.locator('.ch-table')).toBeVisible();
  await page.keyboard.press('t');
  await expect(page).not.toHaveURL(/view=table/);
  await expect.poll(() => canvas.evaluate((c: HTMLCanvasElement) => c.width)).toBeGreaterThan(300);

  // A range drawn with the keyboard.
  await expect(async () => {
    // What the page reads again after the table may take the focus.
    await cursor.focus();
    await page.keyboard.press('End');
    for (let n = 0; n < 6; n += 1) await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/from=.*to=/, { timeout: 2_000 });
  }).toPass({ timeout: 15_000 });
  await expect(page.getByRole('heading', { name: /Cost per hour/ })).toBeVisible();
});

test('a range drawn with the pointer becomes the window', async ({ page, project }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await page.goto(`/p/${project.slug}`);
  await hydrated(page);
  const box = await page.locator('.ch-over').boundingBox();
  if (box === null) throw new Error('no plot');
  await page.mouse.move(box.x + box.width * 0.6, box.y + 80);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 80, { steps: 4 });
  await expect(page.locator('.ch-brush')).toBeVisible();
  await page.mouse.up();
  await expect(page).toHaveURL(/from=.*to=/);
  const url = new URL(page.url());
  const [from, to] = ['from', 'to'].map((name) => Date.parse(url.searchParams.get(name) ?? ''));
  expect(((to ?? 0) - (from ?? 0)) / DAY).toBeCloseTo(3, 0);
  await page.goBack();
  await expect(page).toHaveURL(new RegExp(`/p/${project.slug}$`));
});

test('a marker leads to its deploy without a new document', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(`/p/${project.slug}`);
  await hydrated(page);
  await page.evaluate(() => document.body.setAttribute('data-same-document', ''));
  await page.locator('a.ch-marker .bob').click();
  await expect(page).toHaveURL(project.at('deploys/pr-2'));
  await expect(page.getByRole('heading', { level: 1, name: 'PR 2' })).toBeVisible();
  await expect(page.locator('body[data-same-document]')).toBeAttached();
  await hydrated(page);
  await axe(page);
  await shots(page, 'deploy');
  await page.goto(project.at('deploys'));
  await hydrated(page);
  await shots(page, 'deploys');
});

for (const [zone, hour] of [['UTC', '14'], ['Asia/Kathmandu', '19']] as const) {
  test.describe(`in ${zone}`, () => {
    test.use({ timezoneId: zone });

    test('hours are those of the viewer', async ({ page, project }) => {
      const noon = Math.floor(Date.now() / DAY) * DAY - DAY + 14 * 3_600_000;
      await project.ingest({ started_at: new Date(noon + 60_000).toISOString(), model: 'made-up', cost: 0.01 });
      const range = `from=${new Date(noon - 6 * 3_600_000).toISOString()}&to=${new Date(noon + 7 * 3_600_000).toISOString()}`;
      await page.goto(`/p/${project.slug}?${range}`);
      await hydrated(page);
      const cursor = page.getByRole('slider', { name: 'Moment' });
      await cursor.focus();
      await page.keyboard.press('Home');
      for (let n = 0; n < 6; n += 1) await page.keyboard.press('ArrowRight');
      await expect(cursor).toHaveAttribute('aria-valuetext', new RegExp(` ${hour}:\\d\\d: e2e \\$0\\.0100`));
    });
  });
}

test('what comes in while the page is open is counted', async ({ page, project }) => {
  await project.ingest({ cost: 0.01 });
  await page.goto(`/p/${project.slug}?range=1h&metric=calls`);
  await hydrated(page);
  await expect(page.getByText('live', { exact: true })).toBeVisible();
  const cell = page.getByRole('tab', { name: /^Calls/ }).locator('.kpi-value');
  await expect(cell).toHaveText('1');
  await project.ingest({ cost: 0.01 }, { cost: 0.01 });
  await expect(cell).toHaveText('3', { timeout: 15_000 });
});

test('an empty project fills itself with demo data', async ({ page, project }) => {
  test.setTimeout(150_000);
  await page.goto(project.at(''));
  await hydrated(page);
  await page.getByRole('button', { name: 'Fill it with demo data' }).click();
  await expect(page.getByText('Demo data is on its way')).toBeVisible();
  // Without touching the page.
  await expect(page.getByRole('heading', { name: 'Cost per day, by key' })).toBeVisible({ timeout: 60_000 });
  await expect(page.locator('a.ch-marker')).toHaveAttribute('aria-label', /PR 2 “switch summary endpoint to claude-sonnet”/, { timeout: 120_000 });
});
