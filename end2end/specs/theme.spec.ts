import { expect, test } from '../harness/test';

test('a chosen theme is in the next page’s HTML, and brings its colours', async ({ page, project }) => {
  await page.goto(project.at('settings'));
  await expect(page.locator('html')).not.toHaveAttribute('data-theme');
  const colours = new Set<string>();
  for (const theme of ['Dark', 'Light'] as const) {
    await page.locator('.user-menu > summary').click();
    await page.locator('.user-menu').getByRole('button', { name: theme }).click();
    await expect(page).toHaveURL(project.at('settings'));
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme.toLowerCase());
    const html = await (await page.request.get(project.at('runs'))).text();
    expect(html).toContain(`data-theme="${theme.toLowerCase()}"`);
    colours.add(await page.locator('body').evaluate((body) => getComputedStyle(body).color));
  }
  expect(colours.size).toBe(2);
});
