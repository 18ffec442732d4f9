import { expect, noSidewaysScroll, shots, test } from '../harness/test';

const begin = Date.now() - 3_600_000;
const at = (ms: number) => new Date(begin + ms).toISOString();

/** A run of three steps below one; `bad` is asked twice and answers otherwise. */
function steps(run: string, offset: number, bad: boolean) {
  const of = { run_id: run, model: 'claude-haiku-4-5' };
  const root = { ...of, step_id: `${run}-root`, step_name: 'resolve-ticket', kind: 'chain' as const, started_at: at(offset), latency_ms: bad ? 9_000 : 4_000 };
  const below = { ...of, parent_span_id: `${run}-root` };
  const found = [
    root,
    { ...below, step_id: `${run}-plan`, step_name: 'plan', started_at: at(offset + 10), latency_ms: 1_000, output_code: 'Look the order up.' },
    { ...below, step_id: `${run}-fetch`, step_name: 'orders.fetch', kind: 'tool' as const, started_at: at(offset + 1_100), latency_ms: 500, output_code: bad ? '{"status":503}' : '{"status":200,"items":2}', status_success: !bad, ...(bad ? { error: 'HTTP 503' } : {}) },
  ];
  if (bad) found.push({ ...below, step_id: `${run}-again`, step_name: 'orders.fetch', kind: 'tool' as const, started_at: at(offset + 2_000), latency_ms: 700, output_code: '{"status":200}', status_success: true });
  else found.push({ ...below, step_id: `${run}-reply`, step_name: 'send-reply', kind: 'tool' as const, started_at: at(offset + 2_000), latency_ms: 300, output_code: 'sent', status_success: true });
  return found;
}

test('two ticked runs stand beside each other', async ({ page, project }) => {
  await project.ingest(...steps('good', 0, false), ...steps('bad', 60_000, true));
  await page.goto(project.at('runs'));
  for (const box of await page.getByRole('checkbox', { name: /^Compare / }).all()) await box.check();
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Compare');
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText('They part at orders.fetch: it failed in B: HTTP 503');
  await expect(result).toContainText('The first 2 steps are equal.');
  const rows = page.getByRole('group', { name: 'Steps of both runs' }).getByRole('row');
  await expect(rows.filter({ hasText: 'added' })).toHaveCount(1);
  await expect(rows.filter({ hasText: 'missing' })).toContainText('send-reply');
  await expect(page.getByRole('region', { name: 'Texts' })).toContainText('"status": 503');
  await noSidewaysScroll(page);
  await shots(page, 'compare');

  await page.getByRole('link', { name: /^Changed/ }).click();
  await expect(rows.filter({ hasText: 'plan' })).toHaveCount(0);
  await rows.filter({ hasText: 'missing' }).getByRole('link').click();
  await expect(page.getByRole('region', { name: 'Texts' })).toContainText('Only A has one.');
});

test('a run stands beside the last good one of its name', async ({ page, project }) => {
  await project.ingest(...steps('good', 0, false), ...steps('bad', 60_000, true));
  await page.goto(project.at('runs/bad'));
  await page.getByRole('link', { name: 'Compare' }).click();
  await expect(page.getByRole('list', { name: 'The two runs' })).toContainText('good');
  await page.goto(project.at('runs/good'));
  await page.getByRole('link', { name: 'Compare' }).click();
  await expect(page.getByText('No good run of resolve-ticket came before this one')).toBeVisible();
  await page.goto(project.at('compare'));
  await expect(page.getByText('Choose two runs')).toBeVisible();
});
