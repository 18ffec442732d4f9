import { demo, demoSteps } from '../harness/demo';
import { expect, hydrated, test } from '../harness/test';

const row = (page: import('@playwright/test').Page, name: string | RegExp) => page.getByRole('treeitem', { name }).first();

/** Names of the steps whose rows a person sees. */
const stepsInWindow = (page: import('@playwright/test').Page) =>
  page.locator('.wf-row .nm').evaluateAll((names) =>
    names
      .filter((name) => {
        const { top, bottom } = name.getBoundingClientRect();
        return top >= 0 && bottom <= window.innerHeight;
      })
      .map((name) => name.textContent),
  );

test('the run says what broke in one sentence and draws parents, children and failures', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}`));
  await hydrated(page);
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText("generate-response failed: TypeError: Cannot read properties of null (reading 'entities')");
  await expect(result).toContainText('Probable origin: parse-request, 6.44 s earlier: JSON was asked for');
  await expect(result).toContainText(/Duration\s*38\.6 s/);
  await expect(result).toContainText(/Steps\s*30\s*6 failed/);

  for (const [name, level] of [['resolve-ticket', 1], ['gather-context', 2], ['search-kb', 3], ['kb.shard-1', 4]] as const) {
    await expect(row(page, new RegExp(name.replace('.', '\\.')))).toHaveAttribute('aria-level', String(level));
  }
  await expect(page.getByRole('treeitem', { name: /generate-response/ })).toHaveCount(3);
  await expect(row(page, /generate-response/)).toContainText(/critical\s*721 ms/);

  await page.getByRole('link', { name: 'Fold or unfold gather-context' }).click();
  await expect(row(page, /gather-context/)).toHaveAttribute('aria-expanded', 'false');
  await expect(page.getByRole('treeitem', { name: /search-kb/ })).toHaveCount(0);
  await expect(page).toHaveURL(/fold=gather-context/);
});

test('a step is chosen by click and by keyboard; its address opens it again', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}`));
  await hydrated(page);
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await row(page, /parse-request/).click();
  await expect(page).toHaveURL(/step=parse-request/);
  await expect(row(page, /parse-request/)).toHaveAttribute('aria-selected', 'true');
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel.getByRole('region', { name: 'Output' })).toContainText('"intent": "refund"');

  await page.keyboard.press('j');
  await expect(page).toHaveURL(/step=enrich-context/);
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('enrich-context');
  await page.keyboard.press('n');
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('generate-response');
  await expect(panel).toContainText("Cannot read properties of null");

  const address = page.url();
  await page.keyboard.press('Escape');
  await expect(page).not.toHaveURL(/step=/);
  await page.goto(address);
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('generate-response');
});

test('a broken answer is explained in sentences; the conversation shows as chat, JSON and raw', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}?step=${demo.brokenJson}`));
  await hydrated(page);
  const score = page.getByRole('region', { name: 'Score' });
  await expect(score).toContainText('critical from 100');
  await expect(score).toContainText('JSON was asked for and the answer does not parse');
  await expect(score).toContainText('brackets are never closed: { at byte 0 and [ at byte 38');

  const input = page.getByRole('region', { name: 'Input' });
  await expect(input).toContainText('You turn a support message into JSON');
  await expect(input).not.toContainText('"role"');
  await input.getByRole('link', { name: 'JSON' }).click();
  await expect(page).toHaveURL(/in=json/);
  await expect(input).toContainText('"role": "system"');
  await input.getByRole('link', { name: 'Raw' }).click();
  await expect(input).toContainText('[{"role":"system"');

  const output = page.getByRole('region', { name: 'Output' });
  await expect(output.locator('mark')).toHaveText(['{', '[', 'output ends here, byte 129']);
  await expect(output).toContainText('bytes 0 and 38: Two brackets are never closed');
  await expect(output).toContainText('byte 129: JSON was asked for and the answer does not parse');
  await output.getByRole('link', { name: 'JSON' }).click();
  await expect(output).toContainText('This is not JSON, so it is shown as plain text');
});

test('a run grows on the open page as its steps arrive', async ({ page, project }) => {
  await project.ingest({ run_id: 'live', step_id: 'child', step_name: 'look-up', parent_span_id: 'root' });
  await page.goto(project.at('runs/live'));
  await hydrated(page);
  await expect(page.getByRole('status').filter({ hasText: /^live$/ })).toBeVisible();
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText('Running, 1 step so far');
  await expect(page.getByRole('treeitem', { name: /Parent not received/ })).toBeVisible();

  await project.ingest({ run_id: 'live', step_id: 'second', step_name: 'write-reply', parent_span_id: 'root' });
  await expect(row(page, /write-reply/)).toBeVisible();
  await expect(result).toContainText('Running, 2 steps so far');

  await project.ingest({ run_id: 'live', step_id: 'root', step_name: 'answer-ticket', kind: 'agent' });
  await expect(page.getByRole('heading', { level: 1, name: 'answer-ticket' })).toBeVisible();
  await expect(page.getByRole('treeitem', { name: /Parent not received/ })).toHaveCount(0);
  await expect(row(page, /write-reply/)).toHaveAttribute('aria-level', '2');
});

test('a run of 5,000 steps opens, scrolls and finds its last step', async ({ page, project }) => {
  test.setTimeout(90_000);
  const began = Date.now() - 600_000;
  const steps = Array.from({ length: 5_000 }, (_, index) => ({
    run_id: 'long',
    step_id: `s${index}`,
    step_name: `step-${index}`,
    parent_span_id: index === 0 ? undefined : index % 50 === 0 ? 's0' : `s${index - (index % 50)}`,
    started_at: new Date(began + index * 100).toISOString(),
    latency_ms: index === 0 ? 500_000 : 90,
  }));
  await project.ingest(...steps);
  await page.goto(project.at('runs/long'));
  await hydrated(page);
  await expect(page.getByRole('region', { name: 'Result' })).toContainText(/Steps\s*5,000/);
  await expect(page.getByRole('img', { name: /^Waterfall of 5,000 steps/ })).toBeVisible();

  await page.mouse.move(400, 600);
  await page.mouse.wheel(0, 70_000);
  // Half of 5,000 rows of 28 px further down, other steps fill the window.
  await expect.poll(() => stepsInWindow(page)).toContain('step-2500');
  // Only what is near the window stands in the page.
  expect(await page.getByRole('treeitem').count()).toBeLessThan(1_000);

  await page.goto(project.at('runs/long?step=s4999'));
  await hydrated(page);
  await expect(page.getByRole('complementary', { name: 'Selected step' }).getByRole('heading', { level: 2 })).toHaveText('step-4999');
  await expect(row(page, /step-4999/)).toBeInViewport();
});

test('on paper the run has its drawing and its whole panel, and nothing to click', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}?step=${demo.brokenJson}`));
  await hydrated(page);
  await expect(page.locator('.wf[data-drawn]')).toBeVisible();
  await page.emulateMedia({ media: 'print' });
  await expect(page.locator('.app > .nav')).toBeHidden();
  await expect(page.locator('.wf-tools')).toBeHidden();
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  expect(await panel.evaluate((element) => element.scrollHeight <= element.clientHeight + 1)).toBe(true);
  const [canvas, place] = [(await page.locator('canvas.wf-live').boundingBox())!, (await page.locator('.wf-draw').boundingBox())!];
  expect(Math.abs(canvas.width - place.width)).toBeLessThan(2);
});

test('{ and } go to the newer and the older run', async ({ page, project }) => {
  const at = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  await project.ingest(
    { run_id: 'old', step_name: 'old', started_at: at(30) },
    { run_id: 'mid', step_name: 'mid', started_at: at(20) },
    { run_id: 'new', step_name: 'new', started_at: at(10) },
  );
  await page.goto(project.at('runs/mid'));
  await hydrated(page);
  await page.keyboard.press('}');
  await expect(page.getByRole('heading', { level: 1, name: 'old' })).toBeVisible();
  await page.keyboard.press('{');
  await expect(page.getByRole('heading', { level: 1, name: 'mid' })).toBeVisible();
  await page.keyboard.press('{');
  await expect(page.getByRole('heading', { level: 1, name: 'new' })).toBeVisible();
});
