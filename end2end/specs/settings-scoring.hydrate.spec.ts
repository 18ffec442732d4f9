import type { APIRequestContext, Page } from '@playwright/test';

import { axe, expect, hydrated, noSidewaysScroll, shots, startServer, test } from '../harness/test';
import type { Step } from '../harness/ingest';
import { ingestInto } from '../harness/ingest';
import type { Project } from '../harness/project';

const MINUTE = 60_000;

const okay: Step = { output_tokens: 6 };
/** 2001 and 3014: 80 points. */
const prose: Step = {
  prompt: 'Return JSON with the field of the order.',
  output_code: 'It was delivered on Monday, at the wrong door.',
  output_tokens: 12,
};
/** 2004 and 3014: 55 points. */
const wordy: Step = {
  prompt: 'Answer yes or no: is it late?',
  output_code: 'Probably, but it depends on the order.',
  output_tokens: 10,
};
const failed: Step = { status_success: false, error: 'timeout' };

/** Steps of every sort, each a run of its own, spread over the last days. */
function mixed(many: number): Step[] {
  const now = Date.now();
  return Array.from({ length: many }, (_, index) => {
    const kind = [okay, okay, wordy, okay, prose, okay, okay, failed, okay][index % 9] ?? okay;
    const started_at = new Date(now - (many - index) * 37 * MINUTE).toISOString();
    return { run_id: `run-${index}`, step_name: `step-${index % 4}`, started_at, ...kind };
  });
}

interface ApiRun {
  run_id: string;
  score_max: number;
  severity: string;
}

/** Every run of the project, straight from the API. */
async function runs(request: APIRequestContext, url: string, project: Project): Promise<ApiRun[]> {
  const all: ApiRun[] = [];
  let cursor = '';
  do {
    const query = new URLSearchParams({ range: '30d', limit: '200', ...(cursor === '' ? {} : { cursor }) });
    const answer = await request.get(`${url}/api/runs?${query}`, { headers: { authorization: `Bearer ${project.key}` } });
    expect(answer.status()).toBe(200);
    const page = (await answer.json()) as { items: ApiRun[]; next_cursor: string | null };
    all.push(...page.items);
    cursor = page.next_cursor ?? '';
  } while (cursor !== '');
  return all;
}

const say = (page: Page) => page.locator('.bt-say');
const slider = (page: Page) => page.getByRole('slider', { name: /Critical from/ });
const figure = (page: Page, name: string) => page.locator('.bt-list li', { hasText: name }).locator('.num');

async function opened(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await hydrated(page);
  await expect(page.locator('.bt-progress')).toContainText('scored again in this browser');
}

test('the slider says how many alerts there would be, as the API has them', async ({ page, project, request, server }) => {
  await project.ingest(...mixed(90));
  const stored = await runs(request, server.url, project);
  expect(stored).toHaveLength(90);
  const hard = stored.filter((run) => run.severity === 'critical').length;
  const alertsFrom = (points: number) => stored.filter((run) => run.severity === 'critical' || run.score_max >= points).length;
  expect(hard).toBe(10);

  await opened(page, project.at('settings/scoring'));
  await expect(say(page)).toHaveText(`${hard} alerts in 30 days`);
  await slider(page).focus();
  await page.keyboard.press('Home');
  await expect(say(page)).toHaveText(`${hard} alerts in 30 days would become ${alertsFrom(50)}`);
  await expect(figure(page, 'newly alert')).toHaveText(String(alertsFrom(50) - hard));
  await expect(figure(page, 'still alert')).toHaveText(String(hard));
  for (let notch = 0; notch < 6; notch += 1) await page.keyboard.press('ArrowRight');
  expect(alertsFrom(80)).not.toBe(alertsFrom(50));
  await expect(say(page)).toHaveText(`${hard} alerts in 30 days would become ${alertsFrom(80)}`);
  await expect(figure(page, 'below both')).toHaveText(String(alertsFrom(50) - alertsFrom(80)));
  await expect(page).toHaveURL(/try=80/);

  // The runs that change are named and lead somewhere.
  const changed = stored.filter((run) => run.severity !== 'critical' && run.score_max >= 80).map((run) => run.run_id);
  await expect(page.getByRole('heading', { name: `${changed.length} runs change` })).toBeVisible();
  const links = page.locator('.bt-changed tbody a');
  expect((await links.allTextContents()).sort()).toEqual([...changed].sort());
  await expect(links.first()).toHaveAttribute('href', project.at(`runs/${await links.first().innerText()}`));

  // The address keeps it, and the form takes it.
  await page.reload();
  await hydrated(page);
  await expect(say(page)).toHaveText(`${hard} alerts in 30 days would become ${alertsFrom(80)}`);
  await page.getByRole('button', { name: 'Use 80' }).click();
  await expect(page.getByLabel('Fixed threshold in points')).toHaveValue('80');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  const settings = await request.get(`${server.url}/api/settings/scoring`, { headers: { authorization: `Bearer ${project.key}` } });
  expect(((await settings.json()) as { threshold: number }).threshold).toBe(80);
  await expect(page.locator('.bt-notes')).toContainText(`${hard} steps of the project were stored as critical`);
});

test('points, muted codes, limits and the extended group are scored again as they are edited', async ({ page, project }) => {
  await project.ingest(...mixed(90));
  await opened(page, project.at('settings/scoring'));
  await page.getByLabel('Points of 2001').fill('70');
  await expect(say(page)).toHaveText('10 alerts in 30 days would become 20');
  await page.getByRole('switch', { name: 'Code 2001 on' }).uncheck();
  await expect(say(page)).toHaveText('10 alerts in 30 days would stay');
  await page.getByRole('switch', { name: 'Code 1001 on' }).uncheck();
  await page.getByRole('switch', { name: 'Code 1002 on' }).uncheck();
  await expect(say(page)).toHaveText('10 alerts in 30 days would become 0');
  await expect(figure(page, 'not marked')).toHaveText('10');
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(say(page)).toHaveText('10 alerts in 30 days');
  await expect(page.getByLabel('Points of 2001')).toHaveValue('50');

  // 420 ms is above a limit of 100 ms: 15 points, and 85 with the rest.
  await page.getByLabel('Latency override in ms').fill('100');
  await page.getByRole('switch', { name: 'Extended codes' }).uncheck();
  await slider(page).focus();
  for (let notch = 0; notch < 3; notch += 1) await page.keyboard.press('ArrowLeft');
  await expect(page.locator('.limits tbody tr').first()).toContainText('as typed, not saved');
  await expect(say(page)).toHaveText('10 alerts in 30 days would become 20');
  await page.getByLabel('Latency override in ms').fill('-1');
  await expect(page.getByText('A number of milliseconds above 0, or empty')).toBeVisible();
  await expect(say(page)).toHaveText('10 alerts in 30 days would stay');
});

test('one key is looked at without losing the whole project', async ({ page, project, request, server }) => {
  await project.ingest(...mixed(36));
  const jobs = ingestInto(request, server.url, await project.makeKey('background-jobs'));
  await jobs({ run_id: 'job-1', ...prose }, { run_id: 'job-2', ...prose }, { run_id: 'job-3', ...failed });
  await opened(page, project.at('settings/scoring?try=80'));
  await expect(say(page)).toHaveText('5 alerts in 30 days would become 11');
  await page.locator('.bt summary', { hasText: 'Key' }).click();
  await page.getByRole('link', { name: 'background-jobs' }).click();
  await expect(say(page)).toHaveText('1 alert in 30 days would become 3');
  await expect(page.locator('.bt-all')).toHaveText('background-jobs; whole project 5 → 11');
  await expect(page).toHaveURL(/key=background-jobs/);
});

test('it is accessible and looks like its picture', async ({ page, project }) => {
  test.slow(); // pictures of a long page
  await project.ingest(...mixed(150));
  await opened(page, project.at('settings/scoring?try=80'));
  await noSidewaysScroll(page);
  await shots(page, 'settings-scoring');
  await axe(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await noSidewaysScroll(page);
  await axe(page);
  await opened(page, project.at('settings/scoring?codes=all&view=table'));
  await axe(page);
});

test('fifty thousand steps follow the slider', async ({ page }) => {
  test.setTimeout(300_000);
  const server = await startServer('fifty-thousand');
  try {
    const steps = mixed(50_000).map((step, index) => ({
      ...step,
      run_id: `run-${Math.floor(index / 4)}`,
      step_id: `s${index}`,
      step_name: `step-${index % 12}`,
      started_at: new Date(Date.now() - (50_000 - index) * 50_000).toISOString(),
      latency_ms: 300 + ((index * 7_919) % 9_000),
      cost: (1_000 + ((index * 977) % 90_000)) / 1e6,
    }));
    await ingestInto(page.request, server.url)(...steps);
    await opened(page, `${server.url}/p/default/settings/scoring`);
    const { size, read } = await page.evaluate(() => {
      const [entry] = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/api/backtest'));
      const timing = entry as PerformanceResourceTiming;
      return { size: timing.encodedBodySize, read: timing.duration };
    });
    await slider(page).focus();
    const times: number[] = [];
    for (const key of ['Home', ...Array<string>(14).fill('ArrowRight')]) {
      await page.keyboard.press(key);
      const text = await page.locator('.bt-progress').innerText();
      const [, figure, unit] = /in ([\d.]+) (ms|s)$/.exec(text) ?? [];
      times.push(Number(figure) * (unit === 's' ? 1_000 : 1));
    }
    times.sort((a, b) => a - b);
    const [median, slowest] = [times[7] ?? NaN, times[14] ?? NaN];
    console.log(`50,000 steps: ${(size / 50_000).toFixed(1)} bytes a step, read in ${read.toFixed(0)} ms, judged in ${median} ms (median), ${slowest} ms (slowest)`);
    expect(size / 50_000).toBeLessThan(40);
    expect(median).toBeLessThan(200);
  } finally {
    // First the page, which would complain that its server is gone.
    await page.close();
    await server.stop();
  }
});
