// What hovering over a chart costs: 90 days of hourly points on six series, stacked and as lines, at one, one and a half and
// three pixels a CSS pixel. A Chromium without a GPU. Fails when a frame of sixty a second is not enough.

import { chromium, expect, test, type Page } from '@playwright/test';

import baseConfig from '../playwright.config';
import { ingestInto, type Step } from '../harness/ingest';
import { makeProject } from '../harness/project';
import { startServer } from '../harness/server';

const HOUR = 3_600_000;
/** Steps are kept for 90 days: one day less, so that none is too old before it is read. */
const HOURS = 89 * 24;
const KEYS = ['one', 'two', 'three', 'four', 'five', 'six'];
const CHARTS = [
  ['cost, stacked', 'metric=cost&drawn=stacked'],
  ['latency p95, lines', 'metric=latency_p95'],
] as const;
const RATIOS = [1, 1.5, 3];
const FRAMES = 240;
/** The page's own work for one move of the pointer, p95; and the time from one frame to the next, with a browser's jitter. */
const BARS = { workMs: 1_000 / 60, frameMs: 20 };

/** One call an hour, dearer by day than at night, for each of the hours. */
function calls(key: number, now: number): Step[] {
  return Array.from({ length: HOURS }, (_, hour) => ({
    started_at: new Date(now - (HOURS - hour) * HOUR).toISOString(),
    model: 'made-up',
    cost: 0.001 * (key + 2 + Math.sin((hour / 24) * 2 * Math.PI) + ((hour * 7 + key * 3) % 11) / 11),
    latency_ms: 400 + 150 * key + ((hour * 37) % 500),
  }));
}

interface Hovered {
  /** From one frame to the next. */
  framesMs: number[];
  /** How many different moments the tooltip told of. */
  moments: number;
}

/** Moves the pointer across the chart and back, once a frame. */
async function hover(page: Page): Promise<Hovered> {
  return page.evaluate(async (count) => {
    const plot = document.querySelector('.ch-over')!;
    const { left, top, width } = plot.getBoundingClientRect();
    const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
    const move = (n: number) => {
      const across = 0.5 - 0.49 * Math.cos((n / count) * 2 * Math.PI);
      plot.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: left + across * width, clientY: top + 80 }));
    };
    const framesMs: number[] = [];
    const moments = new Set<string>();
    let last = await frame();
    for (let n = 0; n < count; n += 1) {
      move(n);
      const now = await frame();
      framesMs.push(now - last);
      last = now;
      moments.add(document.querySelector('.ch-over .ch-tip')?.textContent ?? '');
    }
    return { framesMs, moments: moments.size };
  }, FRAMES);
}

/** The page's own work for one move: what is done before its event returns, in the tasks that it makes, and for layout. */
async function busy(page: Page): Promise<number[]> {
  return page.evaluate(async (count) => {
    const plot = document.querySelector('.ch-over')!;
    const { left, top, width } = plot.getBoundingClientRect();
    const took: number[] = [];
    for (let n = 0; n < count; n += 1) {
      await new Promise((done) => requestAnimationFrame(done));
      const begun = performance.now();
      plot.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, clientX: left + (0.01 + (0.98 * n) / count) * width, clientY: top + 80 }));
      await new Promise((done) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = done;
        channel.port2.postMessage(0);
      });
      // Styles and places of what has changed are worked out now, as the frame would.
      plot.getBoundingClientRect();
      took.push(performance.now() - begun);
    }
    return took;
  }, FRAMES);
}

const percentile = (values: number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

test('charts', async ({ playwright }) => {
  const server = await startServer('server-charts');
  const lines = ['| chart | pixels a CSS pixel | moments | work per move p50 / p95 | frame p50 / p95 | frames over 20 ms |', '|---|---|---|---|---|---|'];
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  try {
    const request = await playwright.request.newContext();
    const project = await makeProject(request, server.url, 'Charts');
    const now = Date.now();
    for (const [index, label] of KEYS.entries()) {
      const send = ingestInto(request, server.url, await project.makeKey(label));
      await send(...calls(index, now));
    }
    await request.dispose();
    const { args = [], ...launch } = baseConfig.use?.launchOptions ?? {};
    const browser = await chromium.launch({ ...launch, args: [...args, '--disable-gpu'] });
    for (const [chart, asked] of CHARTS) {
      for (const deviceScaleFactor of RATIOS) {
        const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, deviceScaleFactor });
        await page.goto(server.url + project.at(`?range=90d&bucket=1h&${asked}`));
        await page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
        const canvas = page.locator('.ch-canvas').first();
        await expect.poll(() => canvas.evaluate((c: HTMLCanvasElement) => c.width)).toBeGreaterThan(300 * deviceScaleFactor);
        const moments = Number(await page.getByRole('slider', { name: 'Moment' }).getAttribute('aria-valuemax')) + 1;
        expect(moments, 'hourly points').toBeGreaterThanOrEqual(HOURS);
        const { framesMs, moments: seen } = await hover(page);
        expect(seen, 'the tooltip follows').toBeGreaterThan(FRAMES / 4);
        await page.locator('.ch-over .ch-tip').waitFor({ state: 'attached' });
        for (const key of KEYS) await expect(page.locator('.ch-over .ch-tip')).toContainText(key);
        const work = await busy(page);
        const name = `${chart}, ${deviceScaleFactor}`;
        expect.soft(percentile(work, 0.95), `${name}: work per move`).toBeLessThan(BARS.workMs);
        expect.soft(percentile(framesMs, 0.95), `${name}: frame`).toBeLessThan(BARS.frameMs);
        lines.push(
          `| ${chart} | ${deviceScaleFactor} | ${moments.toLocaleString('en')} × ${KEYS.length} | ${ms(percentile(work, 0.5))} / ${ms(percentile(work, 0.95))} | ${ms(percentile(framesMs, 0.5))} / ${ms(percentile(framesMs, 0.95))} | ${framesMs.filter((took) => took > BARS.frameMs).length} of ${FRAMES} |`,
        );
        await page.close();
      }
    }
    await browser.close();
  } finally {
    console.log(`\n${lines.join('\n')}\n`);
    await server.stop();
  }
});
