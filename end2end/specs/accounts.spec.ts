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
    await page.getByLabel('Name', { exact: true }).fill('Noor');
    await page.getByLabel('E-mail').fill('noor@acme.dev');
    await page.getByLabel('First password').fill(PASSWORD);
    await page.getByLabel('Role', { exact: true }).selectOption('viewer');
    await page.getByRole('button', { name: 'Add the member' }).click();
    await expect(page.getByRole('status')).toContainText('Added');

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
