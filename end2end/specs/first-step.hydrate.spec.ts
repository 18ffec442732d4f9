import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import type { Page } from '@playwright/test';

import { expect, hydrated, startServer, test } from '../harness/test';

const run = promisify(execFile);

/** Asks for the key that was made with the project; the page then shows it in its command. */
async function showKey(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Show the key' }).click();
  await expect(page.getByLabel('Command', { exact: true })).toContainText('pl_live_');
  await hydrated(page);
}

test('the command on a fresh server works as it stands, and the page turns into the run by itself', async ({ browser }) => {
  const server = await startServer('server-first-step');
  try {
    const page = await (await browser.newContext({ baseURL: server.url })).newPage();
    await page.goto('/');
    await hydrated(page);
    await showKey(page);
    await expect(page.getByText('listening since')).toBeVisible();
    const command = await page.getByLabel('Command', { exact: true }).innerText();
    expect(command).toContain(`curl ${server.url}/ingest`);
    expect(command).toMatch(/Bearer pl_live_[0-9A-Za-z]{40,}/);

    const { stdout } = await run('bash', ['-c', command]);
    expect(JSON.parse(stdout)).toMatchObject({ run_id: 'hello-1', status: 'stored' });

    await expect(page).toHaveURL('/p/default/runs/hello-1');
    await expect(page.getByRole('heading', { level: 1, name: 'classify-intent' })).toBeVisible();
    await expect(page.getByRole('treeitem', { name: /classify-intent/ })).toContainText('640 ms');
    await page.context().close();
  } finally {
    await server.stop();
  }
});

test('"Send it for me" leads to the run too', async ({ page, server, request }) => {
  await request.post(`${server.url}/projects`, { form: { name: 'Send it for me' } });
  await page.goto('/p/send-it-for-me/runs');
  await hydrated(page);
  await showKey(page);
  await page.getByRole('button', { name: 'Send it for me' }).click();
  await expect(page).toHaveURL('/p/send-it-for-me/runs/hello-1');
  await expect(page.getByRole('heading', { level: 1, name: 'classify-intent' })).toBeVisible();
});

test('the command comes in three languages, each with the key', async ({ page, server, request }) => {
  await request.post(`${server.url}/projects`, { form: { name: 'Three languages' } });
  await page.goto('/p/three-languages/runs');
  await hydrated(page);
  await showKey(page);
  const key = /pl_live_\w+/.exec(await page.getByLabel('Command', { exact: true }).innerText())?.[0] ?? 'none';
  for (const [tab, sign] of [['TypeScript', 'await fetch'], ['Python', 'urllib.request'], ['curl', 'curl http']] as const) {
    await page.getByRole('tab', { name: tab }).click();
    await expect(page.getByRole('tab', { name: tab })).toHaveAttribute('aria-selected', 'true');
    await expect(page.getByLabel('Command', { exact: true })).toContainText(sign);
    await expect(page.getByLabel('Command', { exact: true })).toContainText(key);
  }
});
