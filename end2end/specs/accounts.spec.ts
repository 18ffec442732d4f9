import { expect, startServer, test } from '../harness/test';

const PASSWORD = 'correct horse battery';

test('the first account closes the server; people sign in, come back to where they were, and do what their role allows', async ({
  browser,
}) => {
  test.setTimeout(90_000);
  const server = await startServer('server-accounts');
  try {
    const context = await browser.newContext({ baseURL: server.url, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto('/p/default/settings/members');
    await page.getByRole('main').getByRole('link', { name: 'Set up accounts' }).click();
    await page.getByLabel('Your name').fill('Mara Lind');
    await page.getByLabel('E-mail').fill('mara@acme.dev');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByLabel('Project').fill('Acme support');
    await page.getByRole('button', { name: 'Create the account' }).click();
    await expect(page).toHaveURL('/p/default');
    await expect(page.locator('.nav-project')).toContainText('Acme support');

    await page.goto('/p/default/settings/members');
    await page.getByLabel('E-mail').fill('noor@acme.dev');
    await page.getByLabel('Role', { exact: true }).selectOption('viewer');
    await page.getByRole('button', { name: 'Make the link' }).click();
    const link = await page.getByLabel('The link').innerText();
    await expect(page.getByRole('cell', { name: 'noor@acme.dev', exact: true })).toBeVisible();
    await page.reload();
    await expect(page.getByText('This link was already shown')).toBeVisible();

    const noors = await (await browser.newContext({ baseURL: server.url, javaScriptEnabled: false })).newPage();
    await noors.goto(link);
    await expect(noors.getByRole('heading', { name: 'Join Acme support' })).toBeVisible();
    const isNew = noors.getByRole('form', { name: 'I am new here' });
    await isNew.getByLabel('Your name').fill('Noor');
    await isNew.getByLabel('New password').fill('1234567890');
    await isNew.getByRole('button').click();
    await expect(noors.getByRole('alert')).toContainText('among the first that are guessed');
    await isNew.getByLabel('Your name').fill('Noor');
    await isNew.getByLabel('New password').fill(PASSWORD);
    await isNew.getByRole('button').click();
    await expect(noors).toHaveURL('/p/default');
    await noors.goto(link);
    await expect(noors.getByRole('heading', { name: 'This link is not good any more' })).toBeVisible();
    await noors.goto('/account');
    await expect(noors.getByRole('cell', { name: 'this browser' })).toBeVisible();
    await noors.getByRole('button', { name: 'Sign out everywhere' }).click();
    await expect(noors.getByText('You are signed out everywhere')).toBeVisible();

    await page.goto('/p/default/settings/audit?scope=server');
    await expect(page.getByRole('cell', { name: 'session.end_all' })).toBeVisible();
    await page.getByLabel('Who').fill('noor');
    await page.getByLabel('What', { exact: true }).selectOption('invitation');
    await page.getByRole('button', { name: 'Show' }).click();
    await expect(page.getByRole('cell', { name: 'invitation.accept' })).toBeVisible();
    await expect(page.getByRole('cell', { name: 'session.end_all' })).toHaveCount(0);

    await page.locator('.user-menu > summary').click();
    await page.locator('.user-menu').getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByText('You are signed out')).toBeVisible();

    await page.goto('/p/default/settings/keys?range=7d');
    await expect(page).toHaveURL(/\/login\?next=/);
    await page.getByLabel('E-mail').fill('noor@acme.dev');
    await page.getByLabel('Password').fill('wrong horse battery');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('alert')).toContainText('The e-mail address or the password is wrong');
    await page.getByLabel('E-mail').fill('noor@acme.dev');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL('/p/default/settings/keys?range=7d');

    await expect(page.getByRole('note')).toContainText('Only an admin of the project can change this');
    await expect(page.getByRole('button', { name: 'Create the key' })).toBeDisabled();
    const forced = await page.request.post('/p/default/settings/keys', { form: { label: 'mine', scope: 'ingest' } });
    expect(forced.ok() && !forced.url().includes('error=')).toBe(false);
    await page.goto('/p/default/settings/keys');
    await expect(page.getByRole('cell', { name: 'mine' })).toHaveCount(0);
    await context.close();
  } finally {
    await server.stop();
  }
});
