import { demo, demoSteps } from '../harness/demo';
import { expect, noSidewaysScroll, shots, test } from '../harness/test';

test('a run is shared by forms, opened without an account, and revoked', async ({ page, project, browser, server }) => {
  await project.ingest(...demoSteps(Date.now()));
  await page.goto(project.at(`runs/${demo.cascade}`));
  await page.getByRole('link', { name: 'Share' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Share');
  await expect(page.getByLabel(/^Masked/)).toBeChecked();
  await page.getByRole('button', { name: 'Create the link' }).click();
  const made = page.getByRole('status', { name: 'The new link' });
  await expect(made).toContainText('It is shown only now');
  const link = (await made.locator('.share-link').innerText()).trim();
  expect(link).toMatch(/\/s\/[\w-]{43}$/);
  await noSidewaysScroll(page);
  await shots(page, 'share-create');

  const stranger = await browser.newContext({ javaScriptEnabled: false });
  const other = await stranger.newPage();
  await other.goto(link);
  await expect(other.getByRole('heading', { level: 1 })).toHaveText(/ticket/);
  await expect(other.getByText('prompts and outputs masked')).toBeVisible();
  await expect(other.getByRole('navigation')).toHaveCount(0);
  await other.getByRole('treeitem', { name: /parse-request/ }).getByRole('link', { name: 'parse-request' }).click();
  expect(other.url()).toContain('/s/');
  const panel = other.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel.getByRole('region', { name: 'Output' })).toContainText('"intent": "xxxxxx"');
  await expect(other.locator('body')).not.toContainText('refund');
  // Other runs are none of the link's business.
  await expect(panel.getByRole('region', { name: /Changed since|This step before/ })).toHaveCount(0);
  await shots(other, 'share-masked');

  await page.goto(project.at('settings/shares'));
  await expect(page.getByRole('region', { name: 'Links' })).toContainText('masked');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByRole('status')).toContainText('The link is revoked');

  const answer = await other.goto(link);
  expect(answer?.status()).toBe(404);
  await expect(other.getByRole('heading', { level: 1 })).toHaveText('This link opens nothing');
  await shots(other, 'share-expired');
  await stranger.close();
  expect(server.url).toBeTruthy();
});

test('an address of the run page brings back what was on the screen', async ({ page, project }) => {
  await project.ingest(...demoSteps(Date.now()));
  const state = 'step=parse-request&colour=score&out=json&in=raw&fold=gather-context';
  await page.goto(project.at(`runs/${demo.cascade}?${state}`));
  const panel = page.getByRole('complementary', { name: 'Selected step' });
  await expect(panel.getByRole('heading', { level: 2 })).toHaveText('parse-request');
  await expect(panel.getByRole('region', { name: 'Output' }).getByRole('link', { name: 'JSON' })).toHaveAttribute('aria-current', 'true');
  await expect(panel.getByRole('region', { name: 'Input' }).getByRole('link', { name: 'Raw' })).toHaveAttribute('aria-current', 'true');
  await expect(page.getByRole('treeitem', { name: /search-kb/ })).toHaveCount(0);
  await expect(page.getByRole('group', { name: 'Colour by' }).getByRole('link', { name: 'Score' })).toHaveAttribute('aria-current', 'true');
});
