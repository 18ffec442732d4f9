import { deploymentIsLive, startGithub, type Github } from '../harness/github';
import { expect, startServer, test } from '../harness/test';
import type { Server } from '../harness/server';

let github: Github;
let server: Server;
test.beforeAll(async () => {
  github = await startGithub();
  server = await startServer('server-integrations', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
});
test.afterAll(async () => {
  await server.stop();
  await github.stop();
});

test('a project is connected to GitHub, hears its webhooks, asks it, and is disconnected', async ({ page, request }) => {
  const settings = `${server.url}/p/default/settings/integrations`;
  await page.goto(settings);
  const card = page.getByRole('article', { name: 'GitHub' });
  await expect(card).toContainText('not set up');
  await page.getByLabel('Repository').fill('acme');
  await page.getByLabel('API').fill(github.url);
  await page.getByLabel('Token').fill('ghp_0123456789abcdef3fKd');
  await page.getByLabel('Only these environments').fill('production');
  await page.getByRole('button', { name: 'Connect' }).click();
  // What is wrong is said, and what was typed stays, but for the token.
  await expect(page.getByRole('alert')).toContainText('must look like owner/name');
  await expect(page.getByLabel('Repository')).toHaveValue('acme');
  await expect(page.getByLabel('Only these environments')).toHaveValue('production');
  await expect(page.getByLabel('Token')).toHaveValue('');
  expect(page.url()).not.toContain('ghp_');

  await page.getByLabel('Repository').fill('https://github.com/acme/support');
  await page.getByLabel('Token').fill('ghp_0123456789abcdef3fKd');
  await page.getByRole('button', { name: 'Connect' }).click();
  await expect(page.getByRole('status')).toContainText('GitHub is asked within seconds');
  const secret = await page.getByLabel('The secret').innerText();
  expect(secret).toMatch(/^[\w-]{43}$/);
  const hook = await page.getByLabel('The payload URL').innerText();
  expect(hook).toBe(`${server.url}/hooks/github?project=default`);
  await page.reload();
  await expect(page.getByText('This webhook secret was already shown')).toBeVisible();
  await expect(page.getByText(secret)).toHaveCount(0);
  await expect(card).toContainText('set, ends in 3fKd');

  // The server asks by itself, soon.
  await expect.poll(async () => (await page.goto(settings), card.innerText()), { timeout: 20_000 }).toContain('PR 2');
  await expect(card).toContainText('ok');
  await expect(card).toContainText('deployments to production');

  expect((await deploymentIsLive(request, hook, 'a secret of somebody else')).status()).toBe(401);
  const heard = await deploymentIsLive(request, hook, secret);
  expect(await heard.json()).toMatchObject({ status: 'recorded', deploys: ['github-deployment-42'] });
  await page.goto(settings);
  await expect(card).toContainText('deployment_status');
  await card.getByRole('link', { name: '9be04a7' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page).toHaveURL(/deploys\/github-deployment-42/);

  github.refuse(401, 'Bad credentials');
  await page.goto(settings);
  await page.getByRole('button', { name: 'Sync now' }).click();
  await expect(page.getByRole('status')).toContainText('GitHub is asked');
  const failing = async () => (await page.goto(settings), card.innerText());
  await expect.poll(failing, { timeout: 20_000 }).toContain('GitHub does not take the token');

  await page.goto(`${server.url}/p/default/settings/audit?what=integration`);
  for (const action of ['integration.make', 'integration.reveal', 'integration.sync']) {
    await expect(page.getByRole('table')).toContainText(action);
  }
  await expect(page.getByRole('table')).not.toContainText('ghp_');

  await page.goto(settings);
  await page.locator('summary', { hasText: 'Remove…' }).click();
  await page.getByRole('button', { name: 'Remove the connection' }).click();
  await expect(card).toContainText('not set up');
  expect((await deploymentIsLive(request, hook, secret)).status()).toBe(401);
});
