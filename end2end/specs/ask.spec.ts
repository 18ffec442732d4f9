import { expect, test } from '../harness/test';

test('the overview is asked about without script: a link opens the drawer, its form waits for the answer', async ({ page, project }) => {
  await project.ingest({ run_id: 'r1', step_id: 's1', step_name: 'answer', prompt: 'hello', output: 'hi' });
  await page.goto(`${project.at('')}?range=7d`);
  await page.getByRole('banner').getByRole('link', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=1$/);
  const drawer = page.getByRole('complementary', { name: 'Ask', exact: true });
  await expect(drawer.getByRole('link', { name: 'Settings, Model providers' })).toBeVisible();
  await drawer.getByLabel('Ask about this page').fill('What did this week cost?');
  await drawer.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=[0-9a-f-]{36}$/);
  await expect(drawer).toContainText('What did this week cost?');
  await expect(drawer.getByText('No model is chosen for this')).toBeVisible();
  await drawer.getByRole('button', { name: 'Delete this chat' }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=1$/);
  await expect(drawer).not.toContainText('What did this week cost?');
});

test('a picture of a bill is put in without script', async ({ page, project }) => {
  await project.ingest({ run_id: 'r1', step_id: 's1', step_name: 'answer', prompt: 'hello', output: 'hi' });
  await page.goto(`${project.at('')}?range=7d&ask=1`);
  const drawer = page.getByRole('complementary', { name: 'Ask', exact: true });
  await drawer.getByText('Compare a provider’s bill').click();
  const picture = { name: 'invoice.png', mimeType: 'image/png', buffer: Buffer.from('89504e470d0a1a0a00', 'hex') };
  await drawer.getByLabel('Screenshot of a bill').setInputFiles(picture);
  await drawer.getByRole('button', { name: 'Read it' }).click();
  await expect(page).toHaveURL(/\?range=7d&ask=[0-9a-f-]{36}$/);
  await expect(drawer).toContainText('Compare this bill with the ledger: invoice.png');
  await expect(drawer.getByText('No model is chosen for this')).toBeVisible();
});
