import { expect, noSidewaysScroll, shots, test } from '../harness/test';

test('the incident of the demo is answered in one sentence, and people say so with plain forms', async ({ page, project, server, request }) => {
  test.setTimeout(150_000);
  await server.command('seed', '--project', project.slug, '--runs', '320');
  // The server judges what came in by itself.
  const found = async () => {
    const answer = await request.get(`${server.url}/api/incidents`, { headers: { authorization: `Bearer ${project.key}` } });
    return (await answer.json()).items as { key: string; metric: string; verdict: { deploy_id: string | null } }[];
  };
  await expect.poll(async () => (await found()).map((item) => item.verdict.deploy_id), { timeout: 60_000 }).toEqual(['demo-pr-2']);

  await page.goto(project.at('incidents'));
  await shots(page, 'incidents');
  await page.getByRole('region', { name: 'Incidents' }).getByRole('link', { name: 'prod-frontend, cost' }).click();
  const said = page.getByRole('region', { name: 'In short' });
  await expect(said.getByRole('heading')).toContainText(/^PR 2 “switch summary endpoint to claude-sonnet” raised the cost of prod-frontend/);
  await shots(page, 'incident');
  await noSidewaysScroll(page);
  const causes = page.getByRole('region', { name: 'What could have caused it' });
  const row = (name: string) => causes.getByRole('row').filter({ has: page.getByRole('link', { name }) });
  await expect(row('PR 2 switch')).toContainText('named');
  await expect(row('PR 2 switch')).toContainText('0.55');
  for (const other of ['PR 1 bump', 'PR 3 tidy']) {
    await expect(row(other)).toContainText('0.05');
    await expect(row(other)).toContainText('cleared');
  }
  await expect(causes).toContainText('dominant model shifted from claude-haiku-4-5 to claude-sonnet-4-6');
  await expect(page.getByRole('region', { name: 'Where +' })).toContainText('The parts add up exactly');

  // Without a model an investigation says so, and what the ledger concludes by itself.
  const investigation = page.getByRole('region', { name: 'Investigation', exact: true });
  // Reloaded while the form is on its way, it might never arrive.
  const asked = page.waitForResponse((response) => response.request().method() === 'POST');
  await investigation.getByRole('button', { name: 'Investigate' }).click();
  await asked;
  await expect(async () => {
    await page.reload();
    await expect(investigation).toContainText('This is what the ledger concludes without a model');
  }).toPass();
  await expect(investigation).toContainText(/Of \+\$[0-9.]+ a day, [+−]\$[0-9.]+ is price per call and [+−]\$[0-9.]+ is volume/);
  await expect(page.getByRole('region', { name: 'How it got there' })).toContainText('No model is chosen for this');
  await shots(page, 'investigation');
  await noSidewaysScroll(page);

  await page.getByLabel('Note').fill('The summaries are worth it');
  await page.getByRole('button', { name: 'Add the note' }).click();
  await expect(page.getByRole('region', { name: 'History' })).toContainText('The summaries are worth it');
  await page.getByText('What was it?').click();
  await page.getByRole('button', { name: /It was PR 2/ }).click();
  await expect(said).toContainText('People confirmed PR 2');

  await page.goto(project.at('deploys/demo-pr-2'));
  await expect(page.getByRole('region', { name: 'Incidents it is named for' })).toContainText('prod-frontend, cost');
  await page.goto(project.at(''));
  await expect(page.getByRole('region', { name: 'In short' }).getByRole('heading')).toContainText(/PR 2 “switch summary endpoint to claude-sonnet” raised the cost/);
});
