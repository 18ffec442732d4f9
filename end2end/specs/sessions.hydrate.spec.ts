import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('sessions, a session and users look right in both themes and sizes, and axe finds nothing', async ({ page, project }) => {
  const minute = 60_000;
  await project.ingest(
    ...Array.from({ length: 24 }, (_, at) => ({
      run_id: `run-${at}`,
      step_name: ['resolve-ticket', 'answer-ticket', 'draft-reply'][at % 3],
      model: ['private-7b', 'private-70b'][at % 2],
      prompt: JSON.stringify({ messages: [{ role: 'user', content: `I have the parcel now, but only ${at} of the keyboards are in it.` }] }),
      output_code: at % 7 === 3 ? '' : 'You can ask for a refund within 14 days of delivery.',
      status_success: at % 6 !== 5,
      ...(at % 6 === 5 ? { error: 'parse-request left 2 brackets open' } : {}),
      session_id: `s-${at % 5}`,
      user_id: `u-${at % 3}`,
      cost: 0.01 + at / 1_000,
      latency_ms: 900 + at * 100,
      started_at: new Date(Date.now() - (200 - at * 8) * minute).toISOString(),
    })),
  );
  await page.goto(project.at('sessions'));
  await hydrated(page);
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'sessions');
  await page.getByRole('link', { name: 's-0' }).first().click();
  await page.getByRole('heading', { name: 'Conversation' }).waitFor();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'session');
  await page.goto(project.at('users'));
  await hydrated(page);
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'users');
  await page.locator('table.usr tbody a').first().click();
  await expect(page.getByRole('heading', { name: 'Sessions' })).toBeVisible();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'user');
});
