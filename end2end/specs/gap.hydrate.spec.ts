import { runSql } from '../harness/sql';
import { expect, hydrated, test } from '../harness/test';

test('a page reads again what it missed while the server did not hear the database', async ({ page, project, server }) => {
  await project.ingest({ run_id: 'gap', step_id: 'child', step_name: 'look-up', parent_span_id: 'root' });
  await page.goto(project.at('runs/gap'));
  await hydrated(page);
  await expect(page.getByRole('status').filter({ hasText: /^live$/ })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Running, 1 step so far');

  // Another connection commits the run's end and nobody is notified: the one that listens is lost at that moment.
  await runSql(
    server.data,
    `update runs set open_count = 0, root_count = 1, status = 'ok', name = 'ended-unseen' where run_id = 'gap';
     select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'`,
  );
  await expect(page.getByRole('heading', { level: 1, name: 'ended-unseen' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Result' })).not.toContainText('Running');
});
