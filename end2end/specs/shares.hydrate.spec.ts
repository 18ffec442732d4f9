import { demo, demoSteps } from '../harness/demo';
import { expect, hydrated, looksRight, test } from '../harness/test';

test('the page of a link comes alive, selects steps and leads nowhere else', async ({ page, project, request, server }) => {
  await project.ingest(...demoSteps(Date.now()));
  const made = await request.post(`${server.url}/api/runs/${demo.cascade}/shares?project=${project.slug}`, { data: {} });
  const { url } = (await made.json()) as { url: string };
  const asked: string[] = [];
  page.on('request', (sent) => asked.push(new URL(sent.url()).pathname));
  await page.goto(new URL(url).pathname);
  await hydrated(page);
  await page.evaluate(() => document.body.setAttribute('data-same-document', ''));
  await page.getByRole('treeitem', { name: /parse-request/ }).getByRole('link', { name: 'parse-request' }).click();
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('region', { name: 'Output' })).toContainText('"intent": "xxxxxx"');
  await expect(page.locator('body[data-same-document]')).toBeAttached();
  await expect(page.getByRole('button', { name: /noise|real/i })).toHaveCount(0);
  const links = await page.locator('a[href]').evaluateAll((found) => found.map((link) => link.getAttribute('href') ?? ''));
  expect(links.filter((href) => !href.startsWith('?') && href !== '#main')).toEqual([]);
  await looksRight(page, 'share');
  // One function for the step's texts; no live updates, nothing of the project.
  expect(asked.filter((path) => path.startsWith('/ui/'))).toEqual(['/ui/shares/opened_step']);
  expect(asked.filter((path) => path.startsWith('/live/') || path.startsWith('/api/') || path.startsWith('/p/'))).toEqual([]);

  const list = (await (await request.get(`${server.url}/api/shares?project=${project.slug}`)).json()) as { items: { open_count: number }[] };
  expect(list.items[0]?.open_count).toBe(1);
});

test('making a link, the list of links and a comparison look right', async ({ page, project, request, server }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}/share`));
  await hydrated(page);
  await looksRight(page, 'share-create-hydrated');
  await request.post(`${server.url}/api/runs/${demo.cascade}/shares?project=${project.slug}`, { data: {} });
  await page.goto(project.at('settings/shares'));
  await hydrated(page);
  await expect(page.getByRole('region', { name: 'Links' })).toContainText('masked');
  await looksRight(page, 'shares');
  await page.goto(project.at(`compare?a=${demo.running}&b=${demo.cascade}`));
  await hydrated(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Compare');
  await looksRight(page, 'compare-hydrated');
});
