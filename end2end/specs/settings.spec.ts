import { expect, test } from '../harness/test';

test('a key is shown once, works, and is refused as soon as it is revoked', async ({ page, project, request, server }) => {
  await page.goto(project.at('settings/keys'));
  await page.getByLabel('Label', { exact: true }).fill('prod-frontend');
  await page.getByRole('button', { name: 'Create the key' }).click();
  const secret = await page.getByLabel('The key', { exact: true }).innerText();
  expect(secret).toMatch(/^pl_live_\w{40,}$/);
  await page.reload();
  await expect(page.getByText('This key was already shown and can’t be shown again')).toBeVisible();
  await expect(page.getByText(secret)).toHaveCount(0);

  const send = () =>
    request.post(`${server.url}/ingest`, {
      headers: { authorization: `Bearer ${secret}` },
      data: { run_id: 'with-key', step_name: 'answer', model: 'gpt-4o-mini', prompt: 'Hi', latency_ms: 1 },
    });
  expect((await send()).status()).toBe(200);

  const row = page.getByRole('row', { name: /prod-frontend/ });
  await row.locator('summary').click();
  await row.getByRole('button', { name: 'Revoke the key' }).click();
  await expect(page.getByRole('status')).toContainText('The key is revoked');
  await expect(row).toContainText('revoked');
  await expect.poll(async () => (await send()).status(), { timeout: 1_000, intervals: [50] }).toBe(401);
  expect(await (await send()).text()).toContain('`prod-frontend` was revoked');
});

test('the ledger says what became of every step, and why one was refused', async ({ page, project, request, server }) => {
  const step = { run_id: 'r', step_id: 's', step_name: 'answer', model: 'gpt-4o-mini', prompt: 'Hi', latency_ms: 1 };
  const headers = { authorization: `Bearer ${project.key}` };
  await request.post(`${server.url}/ingest/batch`, { headers, data: { steps: [step, step, { ...step, step_id: 't' }] } });
  await request.post(`${server.url}/ingest`, { headers, data: { run_id: 'r' } });
  await request.post(`${server.url}/ingest`, { headers, data: { ...step, latency_ms: 'slow' } });
  await page.goto(project.at('settings/ledger'));
  await expect(page.getByRole('heading', { name: '5 steps received in 24 hours: 2 stored, 1 duplicate, 2 rejected' })).toBeVisible();
  const rows = page.getByRole('table').getByRole('row');
  await expect(rows.nth(1)).toContainText('e2e');
  await expect(page.getByRole('table')).toContainText('missing_field');
  await expect(page.getByRole('table')).toContainText('invalid_field');
});

test('a project is renamed, another one is made, and one is deleted by typing its word', async ({ page, project }) => {
  await page.goto(project.at('settings'));
  await page.getByLabel('Name').fill('Renamed project');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  await expect(page.getByLabel('Name')).toHaveValue('Renamed project');

  const other = `Other ${project.slug}`;
  await page.goto('/projects/new');
  await page.getByLabel('Name').fill(other);
  await page.getByRole('button', { name: 'Create the project' }).click();
  await expect(page.getByRole('heading', { name: 'Send the first step' })).toBeVisible();
  await page.locator('.nav-switch > summary').click();
  await page.locator('.nav-switch').getByRole('link', { name: 'Renamed project' }).click();
  await expect(page).toHaveURL(`/p/${project.slug}`);

  await page.goto(project.at('settings'));
  await page.getByLabel('Type the project’s slug to confirm').fill('something else');
  await page.getByRole('button', { name: 'Delete the project' }).click();
  await expect(page).toHaveURL(project.at('settings'));
  await page.getByLabel('Type the project’s slug to confirm').fill(project.slug);
  await page.getByRole('button', { name: 'Delete the project' }).click();
  await expect(page).not.toHaveURL(project.at('settings'));
  const gone = await page.request.get(project.at('runs'));
  expect(gone.status()).toBe(404);
});
