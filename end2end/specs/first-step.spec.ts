import { execFileSync } from 'node:child_process';

import { expect, test } from '../harness/test';

test('without script the command is there, and after sending the page shows the run', async ({ page, server, request }) => {
  await request.post(`${server.url}/projects`, { form: { name: 'Without script' } });
  await page.goto('/p/without-script/runs');
  await expect(page.getByRole('heading', { name: 'Send the first step' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Send it for me' })).toBeHidden();
  await page.getByRole('button', { name: 'Show the key' }).click();
  await expect(page.getByLabel('Command', { exact: true })).toContainText('pl_live_');
  const command = await page.getByLabel('Command', { exact: true }).innerText();
  execFileSync('bash', ['-c', command]);

  await page.getByRole('link', { name: 'Refresh' }).click();
  await page.getByRole('link', { name: 'classify-intent' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'classify-intent' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Completed in 640 ms with a warning');
});

test('the key is shown once; the next visit offers to make another one', async ({ page, server, request }) => {
  await request.post(`${server.url}/projects`, { form: { name: 'Shown once' } });
  await page.goto('/p/shown-once/runs');
  await expect(page.getByLabel('Command', { exact: true })).toContainText('Bearer YOUR_KEY');
  await page.getByRole('button', { name: 'Show the key' }).click();
  await expect(page.getByLabel('Command', { exact: true })).toContainText(/Bearer pl_live_\w{40,}/);
  await page.reload();
  await expect(page.getByLabel('Command', { exact: true })).toContainText('Bearer YOUR_KEY');
  await page.getByRole('button', { name: 'Create a key' }).click();
  await expect(page.getByText(/pl_live_\w{40,}/)).toBeVisible();
});
