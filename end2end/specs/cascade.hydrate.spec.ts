import { axe, expect, hydrated, shots, test } from '../harness/test';

test('the demo run leads from the failure to the step it began with', async ({ page, project, server }) => {
  // A day is written first, and two pages are looked at in four pictures each.
  test.slow();
  await server.command('seed', '--project', project.slug, '--days', '1', '--runs', '20');
  await page.goto(project.at('runs/cascade-demo'));
  await hydrated(page);
  const result = page.getByRole('region', { name: 'Result' });
  await expect(result).toContainText('generate-response failed: TypeError');
  await expect(result).toContainText('Probable origin: parse-request, 6.44 s earlier');
  await shots(page, 'cascade');
  await result.getByRole('link', { name: 'parse-request' }).first().click();
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel).toContainText('JSON was asked for and the answer does not parse');
  await expect(page).toHaveURL(/step=parse-request/);
  await axe(page);
  await shots(page, 'cascade-origin');
});
