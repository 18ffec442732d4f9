import { expect, test } from '../harness/test';

const hour = 3_600_000;
const before = 'Answer in JSON with the keys intent and order. Be brief.';
const after = 'Answer in JSON with the keys intent, order and mood. Be brief.';

function calls(system: string, run: string, count: number, hoursAgo: number) {
  return Array.from({ length: count }, (_, at) => ({
    run_id: `${run}-${at}`,
    step_name: 'parse-request',
    model: at % 4 === 0 ? 'gpt-4o' : 'gpt-4o-mini',
    prompt: JSON.stringify({ system, messages: [{ role: 'user', content: `Where is my order, customer ${at}?` }] }),
    output_code: '{"intent":"where","order":"1"}',
    started_at: new Date(Date.now() - hoursAgo * hour + at * 1_000).toISOString(),
  }));
}

test('an edited prompt is a new template beside the old one, whatever users say, and shows what changed', async ({ page, project }) => {
  await project.ingest(...calls(before, 'before', 8, 30));
  await project.ingest(...calls(after, 'after', 4, 2));
  await page.goto(project.at('prompts'));
  await expect(page.getByRole('heading', { name: '1 of 1 step changed its prompt in the last 7 days' })).toBeVisible();
  const rows = page.getByRole('table').locator('tbody tr:not(.group)');
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(0)).toContainText('new');
  await expect(rows.nth(0)).toContainText('33 %');
  await expect(rows.nth(0)).toContainText('gpt-4o-mini 75 %, gpt-4o 25 %');
  await expect(rows.nth(1)).toContainText('67 %');

  await rows.nth(0).getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'parse-request uses this prompt' })).toBeVisible();
  const diff = page.getByRole('group', { name: 'Lines that changed' });
  await expect(diff.locator('[data-change="removed"]')).toContainText('intent and order');
  await expect(diff.locator('[data-change="added"]')).toContainText('order and mood');
  await page.getByRole('link', { name: 'Show the numbers (t)' }).click();
  await expect(page.getByRole('table').first()).toContainText('gpt-4o-mini');
});

test('a project without prompts says how one gets here', async ({ page, project }) => {
  await page.goto(project.at('prompts'));
  await expect(page.getByText('No prompt was used in the last 7 days')).toBeVisible();
  await page.getByRole('link', { name: 'Connect an app' }).click();
  await expect(page).toHaveURL(project.at('connect'));
});
