// Every page as a person meets it: nothing for axe to find, nothing that scrolls sideways, pictures for a look.

import { demo, demoSteps } from '../harness/demo';
import { expect, hydrated, looksRight, makeProject, startServer, test, type Project } from '../harness/test';
import { watchConsole } from '../harness/page';

const pages: [name: string, path: (project: Project) => string][] = [
  ['runs', (project) => project.at('runs')],
  ['runs-filtered', (project) => project.at('runs?severity=critical&live=1')],
  ['runs-nothing', (project) => project.at('runs?model=gpt-9&environment=moon')],
  ['run', (project) => project.at(`runs/${demo.cascade}`)],
  ['run-step', (project) => project.at(`runs/${demo.cascade}?step=${demo.brokenJson}`)],
  ['run-table', (project) => project.at(`runs/${demo.cascade}?view=table`)],
  ['run-running', (project) => project.at(`runs/${demo.running}`)],
  ['run-unknown-cost', (project) => project.at(`runs/${demo.unknownCost}?step=write-digest`)],
  ['settings', (project) => project.at('settings')],
  ['settings-keys', (project) => project.at('settings/keys')],
  ['settings-members', (project) => project.at('settings/members')],
  ['settings-ledger', (project) => project.at('settings/ledger')],
  ['new-project', () => '/projects/new'],
  ['setup', () => '/setup'],
];

// axe reads each page three times.
test.describe.configure({ timeout: 90_000 });

test.describe('with data', () => {
  let project: Project;
  test.beforeAll(async ({ playwright, server }) => {
    const request = await playwright.request.newContext();
    project = await makeProject(request, server.url, 'Acme support');
    await project.ingest(...demoSteps(Date.now()));
    const again = demoSteps(Date.now()).slice(0, 2);
    await request.post(`${server.url}/ingest/batch`, {
      headers: { authorization: `Bearer ${project.key}` },
      data: { steps: [...again, { run_id: 'incomplete' }] },
    });
    await request.dispose();
  });

  for (const [name, path] of pages) {
    test(`${name} looks right`, async ({ page }) => {
      await page.goto(path(project));
      await hydrated(page);
      await looksRight(page, name);
    });
  }
});

test('a fresh project looks right', async ({ page, project }) => {
  await page.goto(project.at('runs'));
  await hydrated(page);
  await expect(page.getByRole('heading', { name: 'Send the first step' })).toBeVisible();
  await looksRight(page, 'first-step');
});

test('pages of accounts look right', async ({ browser }) => {
  test.setTimeout(180_000);
  const server = await startServer('server-look-accounts');
  try {
    const context = await browser.newContext({ baseURL: server.url, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const complaints = watchConsole(page);
    await page.goto('/setup');
    await hydrated(page);
    await page.getByLabel('Your name').fill('Mara Lind');
    await page.getByLabel('E-mail').fill('mara@acme.dev');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', { name: 'Create the account' }).click();
    // Whoever leaves while the form is on its way has no account yet: a password takes its time to be hashed.
    await expect(page).toHaveURL('/p/default');
    await hydrated(page);
    await page.goto('/p/default/settings/members');
    await hydrated(page);
    await looksRight(page, 'settings-members-accounts');
    await page.getByLabel('E-mail').fill('noor@acme.dev');
    await page.getByRole('button', { name: 'Make the link' }).click();
    const link = await page.getByLabel('The link').innerText();
    await hydrated(page);
    await looksRight(page, 'settings-members-invited');
    await page.goto('/p/default/settings/audit?scope=server');
    await hydrated(page);
    await looksRight(page, 'settings-audit');
    await page.goto('/account?done=password');
    await hydrated(page);
    await looksRight(page, 'account');
    await context.clearCookies();
    await page.goto(link);
    await hydrated(page);
    await looksRight(page, 'invite');
    await page.goto('/reset?token=none');
    await hydrated(page);
    await looksRight(page, 'reset-dead');
    await page.goto('/login?error=credentials');
    await hydrated(page);
    await looksRight(page, 'login');
    await context.close();
    expect(complaints()).toEqual([]);
  } finally {
    await server.stop();
  }
});

test.describe('addresses that lead nowhere', () => {
  test.use({ expectedComplaints: [/status of 404/] });

  test('an unknown run and an unknown page look right', async ({ page, project }) => {
    await page.goto(project.at('runs/none'));
    await hydrated(page);
    await looksRight(page, 'run-none');
    await page.goto('/nowhere');
    await hydrated(page);
    await looksRight(page, 'not-found');
  });
});
