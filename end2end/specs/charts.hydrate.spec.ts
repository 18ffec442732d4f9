// Charts as a reader meets them: every screen, theme and clock; nothing to draw, one point, and far too much.

import type { Page } from '@playwright/test';

import { expect, hydrated, test } from '../harness/test';
import { month } from '../harness/trends';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The drawn canvas of a chart: waits until it has its size. */
async function drawn(page: Page): Promise<void> {
  const canvas = page.locator('.ch-canvas').first();
  await expect.poll(() => canvas.evaluate((c: HTMLCanvasElement) => c.width)).toBeGreaterThan(300);
}

/** The colours of a column of pixels as they are on the screen, from the top of the canvas to its bottom. */
async function columnOnScreen(page: Page, left: number): Promise<string[]> {
  const canvas = page.locator('.ch-canvas').first();
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  if (box === null) throw new Error('the canvas is not shown');
  // The whole screen: a part of it may begin between two pixels.
  const png = await page.screenshot({ scale: 'device' });
  return page.evaluate(
    async ({ data, x, from, to }) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const copy = document.createElement('canvas');
      copy.width = image.width;
      copy.height = image.height;
      const context = copy.getContext('2d');
      if (context === null) throw new Error('no canvas');
      context.drawImage(image, 0, 0);
      const [top, height] = [Math.ceil(from * devicePixelRatio), Math.floor((to - from) * devicePixelRatio)];
      const bytes = context.getImageData(Math.round(x * devicePixelRatio), top, 1, height).data;
      return Array.from({ length: height }, (_, y) => bytes.slice(y * 4, y * 4 + 3).join());
    },
    { data: png.toString('base64'), x: box.x + left, from: box.y, to: box.y + box.height },
  );
}

for (const ratio of [1, 1.5, 2, 3]) {
  test.describe(`at ${ratio} pixels a CSS pixel`, () => {
    test.use({ deviceScaleFactor: ratio });

    test('lines across are whole pixels', async ({ page, project }) => {
      await project.ingest(...month(Date.now()));
      await page.goto(project.at(''));
      await hydrated(page);
      await drawn(page);
      // Left of the first moment nothing but the grid and the zero line is drawn.
      const column = await columnOnScreen(page, 1);
      const background = column[1];
      const lines: string[][] = [];
      column.forEach((colour, y) => {
        if (colour === background) return;
        if (column[y - 1] === background || y === 0) lines.push([]);
        lines.at(-1)?.push(colour);
      });
      expect(lines.length).toBeGreaterThan(3);
      // Half a pixel would be a second, paler colour above or below.
      for (const line of lines) expect([line.length, new Set(line).size]).toEqual([Math.round(ratio), 1]);
    });

    test('one point alone is a dot where the crosshair says', async ({ page, project }) => {
      await project.ingest({ started_at: new Date(Date.now() - 3 * HOUR).toISOString(), model: 'made-up', cost: 0.013 });
      await page.goto(project.at('?range=24h'));
      await hydrated(page);
      await drawn(page);
      const cursor = page.getByRole('slider', { name: 'Moment' });
      await expect(async () => {
        // What the page reads again may take the focus.
        await cursor.focus();
        await page.keyboard.press('Home');
        await expect(cursor).toHaveAttribute('aria-valuetext', /: nothing$/, { timeout: 1_000 });
        await page.keyboard.press('End');
        for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowLeft');
        await expect(cursor).toHaveAttribute('aria-valuetext', /: e2e \$0\.0130$/, { timeout: 1_000 });
        await expect(page.locator('.ch-over .ch-point')).toHaveCount(1, { timeout: 1_000 });
      }).toPass({ timeout: 15_000 });
      // What the canvas has there, in its own pixels: a dot of four CSS pixels across, and nothing to either side of it.
      const row = await page.locator('.ch-canvas').first().evaluate((canvas: HTMLCanvasElement) => {
        const point = document.querySelector('.ch-over .ch-point')!.getBoundingClientRect();
        const place = canvas.getBoundingClientRect();
        const [x, y] = [point.left + point.width / 2 - place.left, point.top + point.height / 2 - place.top];
        const [width, height] = [Math.round(24 * devicePixelRatio), Math.round(6 * devicePixelRatio)];
        const [left, top] = [Math.round((x - 12) * devicePixelRatio), Math.round((y - 3) * devicePixelRatio)];
        const bytes = canvas.getContext('2d')!.getImageData(left, top, width, height).data;
        const isDrawn = (across: number, down: number) => (bytes[(down * width + across) * 4 + 3] ?? 0) > 128;
        return Array.from({ length: width }, (_, across) => Array.from({ length: height }, (_, down) => isDrawn(across, down)).includes(true));
      });
      const dot = row.filter((isDrawn) => isDrawn).length;
      expect(dot).toBeGreaterThanOrEqual(3 * ratio);
      expect(dot).toBeLessThanOrEqual(5 * ratio + 1);
      expect([row[0], row[Math.floor(row.length / 2)], row.at(-1)]).toEqual([false, true, false]);
    });
  });
}

test('a window without a call becomes a chart of one point while it is open', async ({ page, project }) => {
  await project.ingest({ started_at: new Date(Date.now() - 3 * DAY).toISOString(), model: 'made-up', cost: 0.013 });
  await page.goto(project.at('?range=15m&metric=calls'));
  await hydrated(page);
  await expect(page.getByText('No call in these 15 minutes')).toBeVisible();
  await expect(page.locator('.ch-canvas')).toHaveCount(0);
  await expect(page.getByText('live', { exact: true })).toBeVisible();
  await project.ingest({ model: 'made-up', cost: 0.013 });
  await expect(page.getByText('No call in these 15 minutes')).toHaveCount(0, { timeout: 15_000 });
  await drawn(page);
  const cursor = page.getByRole('slider', { name: 'Moment' });
  await expect(async () => {
    // What the page reads again may take the focus.
    await cursor.focus();
    // One call in one minute, and in every other none.
    const texts = new Set<string>();
    await page.keyboard.press('Home');
    for (let n = 0; n < 16; n += 1) {
      const text = (await cursor.getAttribute('aria-valuetext')) ?? '';
      if (!text.endsWith(': nothing')) texts.add(text);
      await page.keyboard.press('ArrowRight');
    }
    expect([...texts]).toEqual([expect.stringMatching(/: e2e 1$/)]);
  }).toPass({ timeout: 15_000 });
});

test('the hour that a clock shows twice is two hours', async ({ page, project }) => {
  // A zone that goes from two hours ahead of UTC to one, wherever the year is.
  const change = Math.floor(Date.now() / DAY) * DAY - 2 * DAY + HOUR;
  await page.addInitScript((at: number) => {
    Date.prototype.getTimezoneOffset = function offset(this: Date) {
      return this.getTime() < at ? -120 : -60;
    };
  }, change);
  const calls = Array.from({ length: 12 }, (_, n) => ({ started_at: new Date(change + (n - 6) * HOUR + 60_000).toISOString(), cost: 0.01 }));
  await project.ingest(...calls);
  const range = `from=${new Date(change - 6 * HOUR).toISOString()}&to=${new Date(change + 6 * HOUR).toISOString()}`;
  await page.goto(project.at(`?${range}&metric=calls`));
  await hydrated(page);
  const cursor = page.getByRole('slider', { name: 'Moment' });
  await cursor.focus();
  await page.keyboard.press('Home');
  const times: string[] = [];
  for (let n = 0; n < 12; n += 1) {
    times.push(/ (\d\d:\d\d): e2e 1/.exec((await cursor.getAttribute('aria-valuetext')) ?? '')?.[1] ?? 'none');
    await page.keyboard.press('ArrowRight');
  }
  expect(times).toEqual(['21:00', '22:00', '23:00', '00:00', '01:00', '02:00', '02:00', '03:00', '04:00', '05:00', '06:00', '07:00']);
  // The texts of the axis stand where the clock says, midnight by its date.
  const ticks = await page.locator('.ch-over text.ch-text, .ch-over text.tick-minor').allInnerTexts();
  expect(ticks.filter((text) => /:/.test(text)).every((text) => Number(text.slice(0, 2)) % 2 === 0)).toBe(true);
});

test('two hundred deploys in a week are a few markers, each of which leads on', async ({ page, project, server, request }) => {
  test.setTimeout(90_000);
  const now = Date.now();
  await project.ingest(...month(now));
  for (let n = 0; n < 200; n += 1) {
    const at = new Date(now - 6.9 * DAY + (n * 6.8 * DAY) / 200).toISOString();
    const data = { id: `d-${n}`, sha: `${(0xabc0000 + n).toString(16)}aa`, pr_number: n + 1, completed_at: at };
    const answer = await request.post(`${server.url}/api/deploys`, { headers: { authorization: `Bearer ${project.key}` }, data });
    expect(answer.status()).toBe(200);
  }
  await page.goto(project.at('?range=7d'));
  await hydrated(page);
  await drawn(page);
  const markers = page.locator('a.ch-marker');
  const count = await markers.count();
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(45);
  const labels = await markers.evaluateAll((all) => all.map((marker) => marker.getAttribute('aria-label') ?? ''));
  expect(labels.join('; ').match(/PR \d+/g)).toHaveLength(200);
  // Zoomed in they come apart.
  await page.goto(project.at(`?from=${new Date(now - 30 * HOUR).toISOString()}&to=${new Date(now - 24 * HOUR).toISOString()}`));
  await hydrated(page);
  expect(await markers.count()).toBeGreaterThan(5);
  await markers.first().focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/deploys\/d-\d+$/);
});
