import { axe, expect, hydrated, looksRight, test } from '../harness/test';
import { fortnight } from '../harness/fortnight';
import { month, ship } from '../harness/trends';

test.describe.configure({ timeout: 120_000 });

test('the pages of a step, a key, a model and a prompt look right', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now), ...fortnight(now));
  await ship(request, server.url, project, now);
  for (const [name, path] of [
    ['step', 'steps/parse-request'],
    ['step-after-a-deploy', 'steps/summarize-page'],
    ['key', 'keys/e2e'],
    ['model', 'models/claude-haiku-4-5'],
  ] as const) {
    await page.goto(project.at(path));
    await hydrated(page);
    await looksRight(page, name);
  }
  await page.goto(project.at('steps/parse-request'));
  await page.getByRole('region', { name: 'Templates', exact: true }).getByRole('link').nth(1).click();
  await expect(page.getByRole('heading', { name: 'Health' })).toBeVisible();
  await hydrated(page);
  await looksRight(page, 'prompt-history');
});

test('a chart of a step is read by hand and by key, its numbers are a key away, and a range drawn on it is the window', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at('steps/summarize-page'));
  await hydrated(page);
  const latency = page.getByRole('group', { name: 'Latency', exact: true });
  const box = await latency.boundingBox();
  if (box === null) throw new Error('no plot');
  await page.mouse.move(box.x + box.width * 0.9, box.y + 30);
  await expect(latency.locator('.ch-tip')).toContainText('p95');
  await expect(latency.locator('.ch-tip')).toContainText('usually');
  await latency.getByRole('slider').focus();
  await page.keyboard.press('Home');
  await expect(latency.getByRole('slider')).toHaveAttribute('aria-valuenow', '0');
  await page.keyboard.press('t');
  await expect(page.getByRole('region', { name: 'Health as a table' })).toBeVisible();
  await axe(page);
  await page.keyboard.press('t');
  await page.mouse.move(box.x + box.width * 0.6, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 30, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/steps\/summarize-page\?from=.*to=/);
  await expect(page.getByText('per hour', { exact: false }).first()).toBeVisible();
});

test('calls that come in while the page of a step is open are counted', async ({ page, project }) => {
  await project.ingest({ step_name: 'answer', cost: 0.01 });
  await page.goto(project.at('steps/answer?range=1h'));
  await hydrated(page);
  await expect(page.getByText('live', { exact: true })).toBeVisible();
  const calls = page.locator('dl.facts div', { hasText: /^Calls/ }).locator('dd');
  await expect(calls).toContainText('1');
  await project.ingest({ step_name: 'answer', cost: 0.01 }, { step_name: 'answer', cost: 0.01 });
  await expect(calls).toContainText('3', { timeout: 15_000 });
});
