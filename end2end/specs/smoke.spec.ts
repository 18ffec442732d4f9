import { expect, test } from '../harness/test';

test('the first page is served, styled and titled without any script', async ({ page }) => {
  const answer = await page.goto('/');
  expect(answer?.status()).toBe(200);
  await expect(page).toHaveTitle(/Plumbline/);
  expect(await page.locator('link[rel="stylesheet"]').getAttribute('href')).toMatch(/^\/pkg\/plumbline\.[0-9a-f]{12}\.css$/);
  await expect(page.locator('body')).toHaveCSS('font-family', /^Inter/);
});

test('what the page links to is compressed and kept for ever', async ({ page, request }) => {
  await page.goto('/');
  const links = await page.locator('link[rel="stylesheet"], link[rel="modulepreload"], link[rel="preload"]').all();
  expect(links.length).toBeGreaterThanOrEqual(3);
  for (const link of links) {
    const href = (await link.getAttribute('href')) ?? '';
    const answer = await request.get(href, { headers: { 'accept-encoding': 'br, gzip' } });
    expect(answer.status(), href).toBe(200);
    expect(answer.headers(), href).toMatchObject({
      // A font's own format is compressed.
      ...(href.endsWith('.woff2') ? {} : { 'content-encoding': 'br' }),
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
  }
});

test("a project's own address is its overview", async ({ page, project }) => {
  await page.goto('/');
  await expect(page).toHaveURL(/\/p\/[^/]+$/);
  await page.goto(`/p/${project.slug}`);
  await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
});
