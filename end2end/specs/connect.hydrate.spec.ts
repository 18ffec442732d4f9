import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('a key made on the page that connects an app stays in the program, whichever is chosen', async ({ page, project }) => {
  await project.ingest({ run_id: 'first' });
  await page.goto(project.at('connect'));
  await hydrated(page);
  const panel = page.getByRole('tabpanel');
  await page.getByRole('button', { name: 'Create a key and show it here' }).click();
  await expect(panel).toContainText('pl_live_');
  await hydrated(page);
  // The key is shown once: choosing another program must not lose it.
  await page.getByRole('tab', { name: 'Node, Anthropic' }).click();
  await expect(panel).toContainText("baseURL: '");
  await expect(panel).toContainText('pl_live_');
  for (const [tab, sign] of [['TypeScript SDK', "apiKey: 'pl_live_"], ['Python SDK', 'api_key="pl_live_'], ['Rust SDK', '.api_key("pl_live_'], ['curl', 'Bearer pl_live_']] as const) {
    await page.getByRole('tab', { name: tab }).click();
    await expect(panel).toContainText(sign);
  }
  await page.getByRole('tab', { name: 'Rust SDK' }).click();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'connect');
});

test('prices and providers look right, and axe finds nothing', async ({ page, project }) => {
  test.slow(); // eight pictures of long pages
  await project.ingest({ model: 'own-7b' }, { model: 'another-own-model' });
  for (const name of ['prices', 'providers']) {
    await page.goto(project.at(`settings/${name}`));
    await hydrated(page);
    await axe(page);
    await noSidewaysScroll(page);
    await shots(page, `settings-${name}`);
  }
});

test('a list of runs names the models that have no price', async ({ page, project }) => {
  await project.ingest({ model: 'own-7b' }, { model: 'another-own-model' });
  await page.goto(project.at('runs'));
  await hydrated(page);
  await axe(page);
  await expect(page.getByRole('note')).toContainText('1 other model');
  await shots(page, 'runs-unpriced');
});
