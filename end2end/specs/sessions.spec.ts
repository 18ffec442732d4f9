import { expect, test } from '../harness/test';

const minute = 60_000;

function run(id: string, session: string, user: string, ago: number, more: object) {
  return {
    run_id: id, step_name: 'answer-ticket', model: 'private-7b', latency_ms: 900, cost: 0.02,
    session_id: session, user_id: user, started_at: new Date(Date.now() - ago * minute).toISOString(), ...more,
  };
}

test('a session is found in the list, reads as a conversation, and leads to its runs and its user', async ({ page, project }) => {
  const history = [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Yes?' }];
  const asked = (content: string) => JSON.stringify({ system: 'Help', messages: [...history, { role: 'user', content }] });
  await project.ingest(
    run('ask-1', 's-4c1f90', 'u-2093', 40, { prompt: asked('Where is my order?'), output_code: 'It came today.' }),
    run('ask-2', 's-4c1f90', 'u-2093', 20, { prompt: asked('One keyboard is missing'), status_success: false, error: 'entities is null' }),
    run('other', 's-0fe3c5', 'u-2051', 10, { prompt: 'Thanks', output_code: 'You are welcome', cost: 0.01 }),
    run('alone', '', '', 5, { prompt: 'Nobody' }),
  );
  await page.goto(project.at('sessions'));
  const rows = page.getByRole('table').locator('tbody tr');
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(0)).toContainText('s-0fe3c5');
  await expect(rows.nth(1)).toContainText('entities is null');
  await expect(rows.nth(1)).toContainText('$0.0400');
  await expect(page.getByText(/2 sessions, 3 of 4 runs/)).toBeVisible();

  await page.getByRole('link', { name: 's-4c1f90' }).first().click();
  await expect(page.getByText('1 of 2 runs failed')).toBeVisible();
  const turns = page.locator('.convo > li');
  await expect(turns).toHaveCount(2);
  await expect(turns.nth(0)).toContainText('Where is my order?');
  await expect(turns.nth(0)).toContainText('It came today.');
  await expect(turns.nth(1)).toContainText('no answer, the run failed');
  await expect(turns.nth(1)).toContainText('of $0.0400 so far');
  await expect(page.getByRole('img', { name: 'Cost rises to $0.0400 in 2 runs' })).toBeVisible();

  await turns.nth(0).getByRole('link', { name: 'answer-ticket' }).click();
  await page.getByRole('link', { name: 's-4c1f90' }).click();
  await page.getByRole('link', { name: 'u-2093' }).click();
  await expect(page.getByText('1 of 2 runs failed')).toBeVisible();
  await expect(page.getByRole('table').locator('tbody tr')).toHaveCount(1);
  await page.getByRole('link', { name: 'All their runs' }).click();
  await expect(page.locator('table.runs tbody tr[data-run]')).toHaveCount(2);
});

test('users are listed by what they cost, and a filter is one field away', async ({ page, project }) => {
  await project.ingest(
    run('a', 's-1', 'u-1', 40, { cost: 0.3 }),
    run('b', 's-2', 'u-1', 30, { cost: 0.3, environment: 'production' }),
    run('c', 's-3', 'u-2', 20, { cost: 0.2, environment: 'production' }),
  );
  await page.goto(project.at('users'));
  await expect(page.getByRole('heading', { name: 'u-1 carries 75 % of what 2 users cost in 7 days' })).toBeVisible();
  const rows = page.getByRole('table').locator('tbody tr');
  await expect(rows.nth(0)).toContainText('u-1');
  await expect(rows.nth(0)).toContainText('$0.3000');

  await page.getByRole('searchbox', { name: 'Add a filter' }).fill('environment:production');
  await page.getByRole('searchbox', { name: 'Add a filter' }).press('Enter');
  await expect(page.getByText('2 in 7 days, $0.5000')).toBeVisible();
  await page.getByRole('link', { name: 'Latest' }).click();
  await expect(rows.nth(0)).toContainText('u-2');

  await page.goto(project.at('sessions?user=nobody'));
  await expect(page.getByText('No session matches')).toBeVisible();
  await page.getByRole('link', { name: 'Clear the filters' }).click();
  await expect(rows).toHaveCount(3);
});
