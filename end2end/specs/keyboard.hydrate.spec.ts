import { expect, hydrated, test } from '../harness/test';

test('Ctrl K finds pages, runs and the theme; the choice outlives the page', async ({ page, project }) => {
  await project.ingest({ run_id: 'wanted-run', step_name: 'resolve-ticket' }, { run_id: 'other', step_name: 'summarize' });
  await page.goto(project.at('settings'));
  await hydrated(page);
  await page.keyboard.press('Control+k');
  const menu = page.getByRole('dialog', { name: 'Commands' });
  const field = menu.getByRole('combobox');
  await expect(field).toBeFocused();
  await page.keyboard.type('resolve');
  await expect(menu.getByRole('option', { name: /resolve-ticket/ })).toBeVisible();
  await expect(menu.getByRole('option', { name: /summarize/ })).toHaveCount(0);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(project.at('runs/wanted-run'));
  await expect(menu).toBeHidden();

  await page.keyboard.press('Control+k');
  await page.keyboard.type('theme dark');
  await expect(menu.getByRole('option')).toHaveCount(1);
  const kept = page.waitForResponse((response) => response.url().endsWith('/theme'));
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await kept;
  expect(await (await page.request.get(project.at('runs'))).text()).toContain('data-theme="dark"');
});

test('? shows the keys, Escape closes them, g r and g s go places', async ({ page, project }) => {
  await project.ingest({ run_id: 'a' });
  await page.goto(project.at('runs'));
  await hydrated(page);
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: /key/i });
  await expect(help).toBeVisible();
  await expect(help).toContainText('live tail on or off');
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();

  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await expect(page).toHaveURL(project.at('settings'));
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await expect(page).toHaveURL(project.at('runs'));

  // Letters typed into a field are text.
  await page.keyboard.press('/');
  await page.keyboard.type('gs?');
  await expect(page).toHaveURL(project.at('runs'));
  await expect(page.getByLabel('Add a filter')).toHaveValue('gs?');
});

test('a mouse chooses theme and project without a new page', async ({ page, project }) => {
  await page.goto(project.at('settings'));
  await hydrated(page);
  await page.locator('.user-menu > summary').click();
  await page.locator('.user-menu').getByRole('button', { name: 'Light' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await page.locator('.nav-switch > summary').click();
  await page.locator('.nav-switch').getByRole('link', { name: 'New project' }).click();
  await expect(page.getByRole('heading', { name: 'New project' })).toBeVisible();
});
