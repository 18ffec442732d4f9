import { deploymentIsLive, startGithub } from '../harness/github';
import { expect, hydrated, looksRight, startServer, test } from '../harness/test';

test('the connections look right: none, one that works, one that fails', async ({ browser }) => {
  test.setTimeout(180_000);
  const github = await startGithub();
  const server = await startServer('server-look-integrations', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
  try {
    const context = await browser.newContext({ baseURL: server.url, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const settings = '/p/default/settings/integrations';
    await page.goto(settings);
    await hydrated(page);
    await looksRight(page, 'settings-integrations-none');
    await page.getByLabel('Repository').fill('acme/support');
    await page.getByLabel('API').fill(github.url);
    await page.getByLabel('Token').fill('ghp_0123456789abcdef3fKd');
    await page.getByLabel('Runs of these workflows').fill('deploy.yml');
    await page.getByLabel('Only on this branch').fill('main');
    await page.getByRole('button', { name: 'Connect' }).click();
    const secret = await page.getByLabel('The secret').innerText();
    await hydrated(page);
    await looksRight(page, 'settings-integrations-made');
    await deploymentIsLive(context.request, `${server.url}/hooks/github`, secret);
    const card = page.getByRole('article', { name: 'GitHub' });
    const shown = async () => (await page.goto(settings), card.innerText());
    await expect.poll(shown, { timeout: 20_000 }).toContain('asked again every 5 minutes');
    await hydrated(page);
    await looksRight(page, 'settings-integrations-ok');
    github.refuse(403, 'Resource not accessible by personal access token');
    await page.getByRole('button', { name: 'Sync now' }).click();
    await expect.poll(shown, { timeout: 20_000 }).toContain('GitHub refuses');
    await hydrated(page);
    await looksRight(page, 'settings-integrations-failing');
    await context.close();
  } finally {
    await server.stop();
    await github.stop();
  }
});
