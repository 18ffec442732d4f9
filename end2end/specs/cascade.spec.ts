import { expect, test } from '../harness/test';

test('the demo run reads as a story: its origin, its way and its end, without script too', async ({ page, project, server }) => {
  const said = await server.command('seed', '--project', project.slug, '--days', '1', '--runs', '120');
  expect(said).toContain('made up');
  await page.goto(project.at('runs/cascade-demo'));
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText("generate-response failed: TypeError: Cannot read properties of null (reading 'entities')");
  await expect(result).toContainText('Probable origin: parse-request, 6.44 s earlier: JSON was asked for and the answer does not parse');
  await expect(result).toContainText(/The cascade starts at parse-request \(105\), passes enrich-context \(\d+\) and fails generate-response 3 times/);
  await expect(result).toContainText('Separately, decide-next made 17 identical calls');
  await expect(result, 'every call of the demo has a price').not.toContainText('unknown');

  await result.getByRole('link', { name: 'parse-request' }).first().click();
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel.getByRole('region', { name: 'Output' })).toContainText('"intent": "refund"');

  await page.goto(project.at('runs/cascade-demo'));
  const problems = page.getByRole('region', { name: 'Problems' }).getByRole('listitem');
  const line = (name: string) => problems.filter({ has: page.getByRole('link', { name, exact: true }) });
  await expect(line('parse-request')).toHaveCount(1);
  await expect(line('generate-response')).toContainText('×3');
  await expect(line('decide-next').filter({ hasText: 'The same call' })).toContainText(/×\d+ The same call 17 times/);
  const names = await problems.getByRole('link').allTextContents();
  expect(names.indexOf('parse-request'), 'the origin stands before what only repeats').toBeLessThan(names.indexOf('decide-next'));

  await page.goto(project.at('anomalies'));
  await expect(page.getByRole('region', { name: 'In short' }), 'people have marked conditions').toContainText('marked condition');

  await page.goto(project.at('runs'));
  await expect(page.locator('tr[data-run="cascade-demo"]')).toContainText('resolve-ticket');
});
