import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';
import { month, ship } from '../harness/trends';

test('what other settings would have opened is said while they are typed, and saved settings stay', async ({ page, project, server, request }) => {
  const now = Date.now();
  await project.ingest(...month(now));
  await ship(request, server.url, project, now);
  await page.goto(project.at('settings/incidents'));
  await hydrated(page);
  const preview = page.getByRole('region', { name: 'Sensitivity' }).getByRole('status');
  // `ship` has quietened every series.
  await expect(preview).toContainText('Would have opened no incident in the last 30 days, as now.');
  await axe(page);

  const cost = page.getByLabel('Cost ($ a day)', { exact: true });
  await cost.fill('little');
  await expect(preview).toContainText('A value can’t be used; see the fields.');
  await cost.fill('2500.5');
  await page.getByLabel(/^One a line/).fill('shape_mix');
  await expect(preview).toContainText(/Would have opened \d+ incidents? in the last 30 days; the settings in force open no incident\./);
  await expect(preview.getByRole('listitem').first()).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await hydrated(page);
  await expect(cost).toHaveValue('2500.5');
  await expect(page.getByLabel(/^One a line/)).toHaveValue('shape_mix');
  await noSidewaysScroll(page);
  await axe(page);
  await shots(page, 'settings-incidents');
});
