import { hydrated, looksRight, test } from '../harness/test';

// Pages whose forms are driven without script elsewhere: here for what only a browser with scripts can tell.
for (const path of ['incidents', 'settings/integrations', 'settings/alerts', 'settings/budgets']) {
  test(`${path} has nothing for axe to find, in both themes and on a phone`, async ({ page, project }) => {
    await project.ingest({ run_id: 'r', step_id: 's', step_name: 'answer', model: 'claude-haiku-4-5', input_tokens: 900, output_tokens: 90 });
    await page.goto(project.at(path));
    await hydrated(page);
    await looksRight(page, path.replace('/', '-'));
  });
}
