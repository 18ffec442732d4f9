import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('the watcher is switched on, and says what an action lacks', async ({ page, project }) => {
  await page.goto(project.at('settings/watcher'));
  await hydrated(page);
  await expect(page.getByText('It has acted on no incident yet')).toBeVisible();
  await axe(page);
  await page.getByLabel('Watch incidents').check();
  await page.getByLabel('Minutes between two looks').fill('30');
  await page.getByLabel(/^Critical/).selectOption('issue');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toContainText('Saved.');
  await hydrated(page);
  await expect(page.getByText('on, looks next')).toBeVisible();
  await expect(page.getByRole('note').getByText('No issue can be opened')).toBeVisible();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'settings-watcher');
});
