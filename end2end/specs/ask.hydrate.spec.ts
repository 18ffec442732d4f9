import { axe, expect, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('a question is kept with its answer, which comes without a reload; without a model it is said why there is none', async ({ page, project }) => {
  await page.goto(project.at('ask'));
  await hydrated(page);
  await expect(page.getByText('No model is chosen for Ask')).toBeVisible();
  const form = page.locator('form').filter({ has: page.getByLabel('Ask about this project') });
  await expect(form.locator('input[name="waits"]')).toHaveValue('no');
  await page.getByLabel('Ask about this project').fill('What did November cost?');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\/ask\?chat=[0-9a-f-]{36}$/);
  const conversation = page.getByRole('region', { name: 'Conversation' });
  await expect(conversation).toContainText('What did November cost?');
  await expect(conversation.getByText('No model is chosen for this')).toBeVisible();
  await hydrated(page);
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'ask');

  const chats = page.getByRole('region', { name: 'Past chats' });
  await expect(chats.getByRole('link', { name: 'What did November cost?' })).toBeVisible();
  await chats.getByRole('button', { name: /^Delete/ }).click();
  await expect(page.getByRole('region', { name: 'Past chats' })).toContainText('None yet.');
});

test('a run is asked about beside it: the drawer stays while steps are looked at, and what is asked leads back', async ({ page, project }) => {
  await project.ingest({ run_id: 'r1', step_id: 's1', step_name: 'answer', prompt: 'hello', output: 'hi' });
  await page.goto(project.at('runs/r1'));
  await hydrated(page);
  await page.getByRole('banner').getByRole('link', { name: 'Ask', exact: true }).click();
  const drawer = page.getByRole('complementary', { name: 'Ask', exact: true });
  await expect(drawer.getByText('Ask needs a model')).toBeVisible();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'ask-beside-a-run');
  await page.goto(project.at('runs/r1?step=s1&ask=1'));
  await hydrated(page);
  await drawer.getByLabel('Ask about this page').fill('What did it say?');
  await drawer.getByRole('button', { name: 'Ask', exact: true }).click();
  await expect(page).toHaveURL(/\/runs\/r1\?step=s1&ask=[0-9a-f-]{36}$/);
  await expect(drawer).toContainText('What did it say?');
  await expect(drawer.getByText('No model is chosen for this')).toBeVisible();
  await hydrated(page);
  await drawer.getByRole('link', { name: 'Close' }).click();
  await expect(drawer).toHaveCount(0);
  await expect(page).toHaveURL(/\/runs\/r1\?step=s1$/);
});
