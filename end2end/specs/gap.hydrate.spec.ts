import type { Page } from '@playwright/test';

import { runSql } from '../harness/sql';
import { expect, hydrated, test } from '../harness/test';

/** Holds the page's live connection back until the returned function is called. */
async function connectLate(page: Page) {
  let connect = () => {};
  const late = new Promise<void>((resolve) => (connect = resolve));
  await page.route('**/live/**', async (route) => {
    await late;
    await route.continue();
  });
  return connect;
}

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

test('a page reads again what changed between its rendering and its connection', async ({ page, project }) => {
  await project.ingest({ run_id: 'early', step_id: 'child', step_name: 'look-up', parent_span_id: 'root' });
  const connect = await connectLate(page);
  await page.goto(project.at('runs/early'));
  await hydrated(page);
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Running, 1 step so far');
  await project.ingest({ run_id: 'early', step_id: 'root', step_name: 'answer-ticket', kind: 'agent' });
  connect();
  await expect(page.getByRole('heading', { level: 1, name: 'answer-ticket' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Result' })).not.toContainText('Running');
});

test('a page of which nothing changed meanwhile is read once', async ({ page, project }) => {
  // Without any run the page would turn into the first one.
  await project.ingest({ run_id: 'before', step_id: 'root', step_name: 'answer-ticket' });
  await page.goto(project.at('runs?live=1'));
  await hydrated(page);
  await expect(page.getByRole('status').filter({ hasText: /^live$/ })).toBeVisible();
  await project.ingest({ run_id: 'quiet', step_id: 'root', step_name: 'answer-ticket', kind: 'agent' });
  // From here on the server has heard of it.
  await expect(page.locator('tr[data-run="quiet"]')).toBeVisible();
  const readings: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/ui/runs/get') readings.push(request.url());
  });
  const connect = await connectLate(page);
  await page.goto(project.at('runs/quiet'));
  await hydrated(page);
  // Another run is no reason.
  await project.ingest({ run_id: 'other', step_id: 'root', step_name: 'answer-mail' });
  connect();
  await expect(page.getByRole('status').filter({ hasText: /^live$/ })).toBeVisible();
  // What is missed is said before the connection counts as made; this is said after it.
  await project.ingest({ run_id: 'quiet', step_id: 'second', step_name: 'write-reply', parent_span_id: 'root' });
  await expect(page.getByText('write-reply').first()).toBeVisible();
  expect(readings).toHaveLength(1);
});
