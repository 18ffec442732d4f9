// What the run page costs with 1,000, 10,000 and 100,000 steps: bytes, the time from data to the first paint, frames
// while it is panned and zoomed, memory, and the time until a chosen step is shown. A Chromium without a GPU.

import { chromium, expect, test, type Page } from '@playwright/test';

import baseConfig from '../playwright.config';
import { makeProject, type Project } from '../harness/project';
import { startServer } from '../harness/server';

const SIZES = (process.env['TIMELINE_STEPS'] ?? '1000,10000,100000').split(',').map(Number);
const BATCH = 1_000;

/** An agent's batches of tools and calls, one call in ninety failed, in the shape of a long indexing job. */
async function ingestRun(project: Project, run: string, count: number): Promise<void> {
  const began = Date.now() - 7_200_000;
  let batch: Record<string, unknown>[] = [];
  for (let n = 0; n < count; n += 1) {
    const group = Math.floor(n / 40);
    const isRoot = n === 0;
    const isGroup = !isRoot && n % 40 === 0;
    batch.push({
      run_id: run,
      step_id: isRoot ? 'root' : isGroup ? `g${group}` : `${(n * 2654435761 % 4294967296).toString(16).padStart(8, '0')}${n.toString(16).padStart(8, '0')}`,
      parent_span_id: isRoot ? undefined : isGroup || group === 0 ? 'root' : `g${group}`,
      step_name: isRoot ? 'reindex' : isGroup ? `batch-${group}` : ['fetch-page', 'split-page', 'embed-chunk', 'summarize-chunk', 'tag-chunk'][n % 5],
      kind: isRoot ? 'agent' : isGroup ? 'chain' : (['tool', 'tool', 'embedding', 'llm', 'llm'] as const)[n % 5],
      prompt: `part ${n}`,
      started_at: new Date(began + n * 50).toISOString(),
      latency_ms: isRoot ? count * 50 : isGroup ? 1_900 : 20 + ((n * 37) % 900),
      input_tokens: 100 + (n % 900),
      output_tokens: 10 + (n % 90),
      ...(n % 90 === 7 ? { status_success: false, error: '429 too many requests' } : {}),
    });
    if (batch.length === BATCH || n === count - 1) {
      await project.ingest(...batch);
      batch = [];
    }
  }
}

const percentile = (values: number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
};

/** How long frames take while `act` is done 120 times, once a frame. */
async function frames(page: Page, act: 'pan' | 'zoom'): Promise<number[]> {
  return page.evaluate(async (act) => {
    const canvas = document.querySelector('canvas.wf-live')!;
    const { left, top, width } = canvas.getBoundingClientRect();
    const took: number[] = [];
    let last = await new Promise<number>((done) => requestAnimationFrame(done));
    for (let n = 0; n < 120; n += 1) {
      const back = n % 40 >= 20 ? -1 : 1;
      canvas.dispatchEvent(
        new WheelEvent('wheel', {
          bubbles: true,
          cancelable: true,
          clientX: left + width * 0.4,
          clientY: Math.max(top, 0) + 60,
          ...(act === 'pan' ? { deltaX: 40 * back } : { deltaY: -40 * back, ctrlKey: true }),
        }),
      );
      const now = await new Promise<number>((done) => requestAnimationFrame(done));
      took.push(now - last);
      last = now;
    }
    return took;
  }, act);
}

/** How long the page's own work takes for one change, from the event to the end of its frame. */
async function work(page: Page): Promise<number[]> {
  return page.evaluate(async () => {
    const canvas = document.querySelector('canvas.wf-live')!;
    const { left, top, width } = canvas.getBoundingClientRect();
    const took: number[] = [];
    for (let n = 0; n < 60; n += 1) {
      const begun = performance.now();
      canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, clientX: left + width * 0.4, clientY: Math.max(top, 0) + 60, deltaX: n % 20 < 10 ? 40 : -40 }));
      await new Promise((done) => requestAnimationFrame(done));
      const channel = new MessageChannel();
      await new Promise((done) => {
        channel.port1.onmessage = done;
        channel.port2.postMessage(0);
      });
      took.push(performance.now() - begun);
    }
    return took;
  });
}

test('timeline', async ({ playwright }) => {
  const server = await startServer('server-timeline');
  const lines = [
    '| steps | skeleton, sent | data to first paint | pan p50 / p95 | zoom p50 / p95 | step shown | heap |',
    '|---|---|---|---|---|---|---|',
  ];
  try {
    const request = await playwright.request.newContext();
    const project = await makeProject(request, server.url, 'Timeline');
    const { args = [], ...launch } = baseConfig.use?.launchOptions ?? {};
    for (const size of SIZES) {
      await ingestRun(project, `run-${size}`, size);
      const browser = await chromium.launch({ ...launch, args: [...args, '--disable-gpu', '--enable-precise-memory-info', '--js-flags=--expose-gc'] });
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      await page.goto(server.url + project.at(`runs/run-${size}`));
      await page.locator('.wf[data-drawn]').waitFor();
      await page.locator('canvas.wf-live[data-whole-at]').waitFor();
      const timing = await page.evaluate(() => {
        const resource = performance.getEntriesByType('resource').find((entry) => entry.name.includes('/skeleton')) as PerformanceResourceTiming | undefined;
        const painted = Number(document.querySelector('canvas.wf-live')?.getAttribute('data-whole-at') ?? Number.NaN);
        return { sent: resource?.encodedBodySize ?? 0, paint: resource ? painted - resource.responseEnd : painted };
      });
      const pan = await frames(page, 'pan');
      const zoom = await frames(page, 'zoom');
      await page.keyboard.press('f');
      const panWork = await work(page);
      const row = page.getByRole('treeitem').nth(5).getByRole('link').last();
      const name = await row.textContent();
      const shown = await page.evaluate(async (name) => {
        const begun = performance.now();
        const links = Array.from(document.querySelectorAll<HTMLElement>('[role=treeitem] a.nm'));
        links.find((link) => link.textContent === name)!.click();
        while (document.querySelector('.panel-step h2')?.textContent !== name) await new Promise((done) => requestAnimationFrame(done));
        return performance.now() - begun;
      }, name);
      const heap = await page.evaluate(() => (performance as never as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
      const wasm = await page.evaluate(async () => (await (performance as never as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> }).measureUserAgentSpecificMemory?.())?.bytes);
      const ms = (value: number) => `${value.toFixed(1)} ms`;
      lines.push(
        `| ${size.toLocaleString('en')} | ${(timing.sent / 1e6).toFixed(2)} MB | ${ms(timing.paint)} | ${ms(percentile(pan, 0.5))} / ${ms(percentile(pan, 0.95))} | ${ms(percentile(zoom, 0.5))} / ${ms(percentile(zoom, 0.95))} | ${ms(shown)} | ${((wasm ?? heap) / 1e6).toFixed(0)} MB |`,
      );
      lines.push(`| | work per pan: p50 ${ms(percentile(panWork, 0.5))}, p95 ${ms(percentile(panWork, 0.95))} | | | | | |`);
      await browser.close();
      expect.soft(timing.sent, `${size}: skeleton`).toBeLessThan(3e6);
    }
    await request.dispose();
  } finally {
    console.log(`\n${lines.join('\n')}\n`);
    await server.stop();
  }
});
