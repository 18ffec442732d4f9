import { axe, hydrated, shots, test } from '../harness/test';

test('the first page comes alive', async ({ page }) => {
  await page.goto('/');
  await hydrated(page);
  await axe(page);
  await shots(page, 'first-page');
});
