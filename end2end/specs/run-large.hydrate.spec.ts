import type { Page } from '@playwright/test';

import { axe, expect, hydrated, looksRight, test, type Project } from '../harness/test';

/** A job in batches: each calls a tool and summarises eight chunks; one call in a batch in the middle fails with 429. */
async function ingestJob(project: Project, batches = 120): Promise<void> {
  const began = Date.now() - 3_600_000;
  const at = (ms: number) => new Date(began + ms).toISOString();
  const steps = [{ run_id: 'job', step_id: 'root', step_name: 'reindex', kind: 'agent' as const, started_at: at(0), latency_ms: batches * 1_000 }];
  for (let batch = 0; batch < batches; batch += 1) {
    const id = `b${batch}`;
    const from = batch * 1_000;
    const shared = { run_id: 'job', parent_span_id: id };
    steps.push({ run_id: 'job', step_id: id, step_name: `batch-${batch}`, parent_span_id: 'root', kind: 'chain', started_at: at(from), latency_ms: 900 } as never);
    steps.push({ ...shared, step_id: `${id}-fetch`, step_name: 'fetch-page', kind: 'tool', started_at: at(from), latency_ms: 90 } as never);
    for (let chunk = 0; chunk < 9; chunk += 1) {
      const failed = batch === 60 && chunk === 4;
      steps.push({
        ...shared,
        step_id: `${id}-c${chunk}`,
        step_name: 'summarize-chunk',
        prompt: `Summarise part ${batch}.${chunk}`,
        kind: 'llm',
        started_at: at(from + 100 + chunk * 80),
        latency_ms: 70,
        input_tokens: 100,
        output_tokens: 20,
        ...(failed ? { status_success: false, error: '429 too many requests' } : {}),
      } as never);
    }
  }
  await project.ingest(...steps);
}

const open = async (page: Page, project: Project, query = '') => {
  await page.goto(project.at(`runs/job${query}`));
  await hydrated(page);
  // All steps have been read, and the canvas has taken over.
  await expect(page.getByText(/rows of 1,321 steps, the others are folded/)).toBeVisible();
  await expect(page.locator('.wf[data-drawn]')).toBeVisible();
};

/** How many pixels of the drawing have the colour of what failed. */
const redPixels = (page: Page) =>
  page.locator('canvas.wf-live').evaluate((canvas: HTMLCanvasElement) => {
    const probe = document.querySelector<HTMLElement>('.wf-probe')!;
    probe.style.color = 'var(--mark)';
    const one = document.createElement('canvas').getContext('2d')!;
    one.fillStyle = getComputedStyle(probe).color;
    one.fillRect(0, 0, 1, 1);
    const [r, g, b] = one.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (Math.abs(data[at]! - r!) + Math.abs(data[at + 1]! - g!) + Math.abs(data[at + 2]! - b!) < 12) count += 1;
    }
    return count;
  });

test('a long run is zoomed, searched, folded and framed, and a failure shows however far one is', async ({ page, project }) => {
  await ingestJob(project);
  await open(page, project);
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('1 of 1,321 steps failed');

  // Zoomed by keys; the address says so and opens the same part again.
  for (let times = 0; times < 6; times += 1) await page.keyboard.press('w');
  await expect(page).toHaveURL(/zoom=-?\d+to\d+/);
  await expect(page.locator('.wf-width')).toContainText(/ of 2 m/);
  const width = await page.locator('.wf-width').textContent();
  await page.reload();
  await hydrated(page);
  await expect(page.locator('.wf-width')).toHaveText(width!);
  await page.keyboard.press('f');
  await expect(page.locator('.wf-width')).toBeEmpty();

  // The strip's window.
  const strip = await page.locator('.strip-place').boundingBox();
  await page.mouse.move(strip!.x + strip!.width * 0.25, strip!.y + 30);
  await page.mouse.down();
  await page.mouse.move(strip!.x + strip!.width * 0.5, strip!.y + 30, { steps: 4 });
  await page.mouse.up();
  await expect(page.locator('.wf-width')).toContainText(/^30\.\d s of 2 m/);
  await page.keyboard.press('0');

  // A search goes from hit to hit.
  await page.keyboard.press('/');
  await page.keyboard.type('429');
  await expect(page.getByRole('status').filter({ hasText: '1 found' })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/step=b60-c4/);
  await expect(page.getByRole('complementary', { name: 'Selected step' }).getByRole('heading', { level: 2 })).toHaveText('summarize-chunk');
  await expect(page.getByRole('complementary', { name: 'Selected step' })).toContainText('429 too many requests');
  await page.keyboard.press('Escape');
  await page.locator('canvas.wf-live').hover();

  // Everything folded into one line: what failed still shows.
  await page.keyboard.press('[');
  await page.keyboard.press('[');
  await expect(page.getByRole('treeitem')).toHaveCount(1);
  await expect.poll(() => redPixels(page)).toBeGreaterThan(2);
  await page.keyboard.press(']');
  await expect(page.getByRole('treeitem', { name: /batch-5\b/ })).toBeVisible();
});

test('an area says what happens in it, and a moment what runs, is done and has failed', async ({ page, project }) => {
  await ingestJob(project);
  await open(page, project);
  const canvas = await page.locator('canvas.wf-live').boundingBox();
  await page.keyboard.down('Shift');
  await page.mouse.move(canvas!.x + 5, canvas!.y + 10);
  await page.mouse.down();
  await page.mouse.move(canvas!.x + canvas!.width * 0.3, canvas!.y + 28 * 6, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  const area = page.getByRole('region', { name: 'Area' });
  await expect(area).toContainText('summarize-chunk');
  await expect(area).toContainText(/All \d+ steps/);
  await page.keyboard.press('Escape');
  await expect(area).toHaveCount(0);

  await page.getByRole('slider', { name: 'Moment of the run' }).fill('500');
  await expect(page.locator('.play-words')).toContainText(/1 m 00? s|60\.0 s|1 m/);
  await expect(page.locator('.play-words')).toContainText(/\d+ running, \d+ done/);
  await expect(page).toHaveURL(/at=\d+/);
});

test('the same run as a table, the help, and nothing for axe to find', async ({ page, project }) => {
  // axe looks at every row, in two themes and widths.
  test.setTimeout(120_000);
  await ingestJob(project);
  await open(page, project);
  await axe(page);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toContainText('zoom in, out');
  await page.keyboard.press('Escape');
  await page.keyboard.press('t');
  await expect(page.getByRole('table').first()).toContainText('summarize-chunk');
  await page.keyboard.press('t');
  await looksRight(page, 'run-long');
});

test('a long run grows while it is open', async ({ page, project }) => {
  await ingestJob(project);
  await open(page, project);
  await project.ingest({ run_id: 'job', step_id: 'late', step_name: 'write-report', parent_span_id: 'root' });
  await expect(page.getByText(/rows of 1,322 steps/)).toBeVisible();
});
