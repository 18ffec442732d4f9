import { startReceiver, type Receiver } from '../harness/receiver';
import { expect, startServer, test } from '../harness/test';
import type { Server } from '../harness/server';

let slack: Receiver;
let server: Server;
test.beforeAll(async () => {
  slack = await startReceiver();
  server = await startServer('server-alerts', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
});
test.afterAll(async () => {
  await server.stop();
  await slack.stop();
});

const failed = (run: string, step: string) => ({
  run_id: run, step_id: 's1', step_name: step, model: 'claude-haiku-4-5', prompt: 'p', output_code: 'o', latency_ms: 640,
  status_success: false, error: 'upstream timeout <b>',
});

test('Slack is connected, tried, broken, seen red and mended', async ({ page, request }) => {
  const settings = `${server.url}/p/default/settings/integrations`;
  await page.goto(settings);
  const card = page.getByRole('article', { name: 'Slack' });
  await expect(card).toContainText('not set up');
  await card.getByText('Set up', { exact: true }).click();
  await card.getByLabel('Webhook URL').fill('http://10.0.0.1/x');
  await card.getByRole('button', { name: 'Connect' }).click();
  await expect(page.getByRole('alert')).toContainText('no public address');
  await card.getByText('Set up', { exact: true }).click();
  await card.getByLabel('Webhook URL').fill(`${slack.url}/services/T0/B0/canary-f3Kd`);
  await card.getByRole('button', { name: 'Connect' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  expect(page.url()).not.toContain('canary');
  await expect(card).toContainText('••••f3Kd');

  slack.answer(403, 'invalid_token');
  await card.getByRole('button', { name: 'Send test' }).click();
  await expect(card).toContainText('403 invalid_token');
  await expect(card.locator('.badge')).toContainText('failing');
  slack.answer(200, 'ok');
  await card.getByRole('button', { name: 'Send test' }).click();
  await expect(page.getByRole('status')).toContainText('took the test');
  await expect(card).toContainText('200 ok in');

  // A step that fails: one message, with a link that opens it.
  expect((await request.post(`${server.url}/ingest`, { data: failed('run-1', 'parse-request') })).ok()).toBe(true);
  await expect.poll(() => slack.got.length, { timeout: 20_000 }).toBe(3);
  const text = (JSON.parse(slack.got[2]!) as { text: string }).text;
  await page.goto(text.split(' ').at(-1)!.replace('http://127.0.0.1:0', server.url));
  await expect(page.getByText('upstream timeout <b>').first()).toBeVisible();

  // The channel is archived: it is red, and says why.
  slack.answer(410, 'channel_is_archived');
  await request.post(`${server.url}/ingest`, { data: failed('run-2', 'classify-intent') });
  await expect.poll(async () => (await page.goto(settings), card.innerText()), { timeout: 20_000 }).toContain('stopped');
  await expect(card.getByRole('alert')).toContainText('410 channel_is_archived');
  slack.answer(200, 'ok');
  await card.getByText('Edit', { exact: true }).click();
  await card.getByLabel('Webhook URL').fill(`${slack.url}/services/T0/B0/canary-mend`);
  await card.getByRole('button', { name: 'Save' }).click();
  await expect(card).toContainText('••••mend');

  // Two steps were critical: the rules say how often they would have spoken.
  await page.goto(`${server.url}/p/default/settings/alerts`);
  await expect(page.getByRole('row', { name: /Step severity/ })).toContainText('would have fired 2 times in 7 days');
  await expect(page.getByRole('row', { name: /Incidents/ })).toContainText('would not have fired in 7 days');
  // On a phone the log is read without scrolling sideways.
  await page.setViewportSize({ width: 390, height: 844 });
  const log = page.getByRole('region', { name: 'Delivery log' });
  await expect(log.getByText('Critical step classify-intent').first()).toBeVisible();
  expect(await log.evaluate((region) => region.scrollWidth - region.clientWidth)).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1440, height: 900 });

  // The one that failed goes out again by hand.
  await page.goto(`${server.url}/p/default/settings/alerts?state=failed`);
  const row = page.getByRole('row', { name: /classify-intent/ });
  await expect(row).toContainText('failed');
  await row.getByRole('button', { name: 'Send again' }).click();
  await expect(page.getByRole('status')).toContainText('It waits to be sent again');
  await expect.poll(() => slack.got.at(-1), { timeout: 20_000 }).toContain('classify-intent');
});

test('e-mail asks for a server and addresses, and says what is wrong', async ({ page }) => {
  await page.goto(`${server.url}/p/default/settings/integrations`);
  const card = page.getByRole('article', { name: 'E-mail' });
  const fill = async (address: string, from: string, to: string) => {
    await card.getByText(/Set up|Edit/, { exact: true }).click();
    await card.getByLabel('Server').fill(address);
    await card.getByLabel('From').fill(from);
    await card.getByLabel('To').fill(to);
    await card.getByRole('button', { name: /Connect|Save/ }).click();
  };
  await fill('mail.acme.dev', 'alerts@acme.dev', 'ops@acme.dev');
  await expect(page.getByRole('alert')).toContainText('smtps://user:password@host:465');
  await fill('smtps://me:canary-secret-9kfd@mail.acme.dev', 'alerts@acme.dev', 'nobody');
  await expect(page.getByRole('alert')).toContainText('addresses such as ops@acme.dev');
  await fill('smtps://me:canary-secret-9kfd@mail.acme.dev', 'alerts@acme.dev', 'ops@acme.dev, lead@acme.dev');
  await expect(page.getByRole('status')).toContainText('Saved');
  await expect(card).toContainText('ops@acme.dev, lead@acme.dev');
  await expect(card).toContainText('••••9kfd');
  expect(await page.content()).not.toContain('canary');
});

test('what is told is changed, and what can not be is refused', async ({ page }) => {
  await page.goto(`${server.url}/p/default/settings/alerts`);
  await page.getByLabel('Level').selectOption('warning');
  await page.getByLabel('Percent').fill('15');
  await page.getByLabel('Error rate to the webhook').uncheck();
  await page.getByLabel('Messages about one thing').selectOption('600');
  await page.getByLabel('Days').selectOption('weekdays');
  await page.getByLabel('Keys', { exact: true }).fill('prod-frontend, prod-api');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status')).toContainText('Saved');
  await expect(page.getByLabel('Level')).toHaveValue('warning');
  await expect(page.getByLabel('Percent')).toHaveValue('15');
  await expect(page.getByLabel('Error rate to the webhook')).not.toBeChecked();
  await expect(page.getByLabel('Error rate to Slack')).toBeChecked();
  await expect(page.getByLabel('Messages about one thing')).toHaveValue('600');
  await expect(page.getByLabel('Keys', { exact: true })).toHaveValue('prod-frontend, prod-api');
  // A preview says what would be otherwise, and saves nothing.
  await page.getByLabel('Level').selectOption('off');
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.getByText('nothing of it is saved yet')).toBeVisible();
  await expect(page.getByRole('row', { name: /Step severity/ })).toContainText(/would not have fired in 7 days/);
  await expect(page.getByLabel('Level')).toHaveValue('off');
  await page.goto(`${server.url}/p/default/settings/alerts`);
  await expect(page.getByLabel('Level')).toHaveValue('warning');
  await page.getByLabel('Steps from which on').fill('400');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert')).toContainText('out of range');
});
