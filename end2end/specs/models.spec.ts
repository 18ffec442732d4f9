import { startModelProvider, type ModelProvider } from '../harness/model-provider';
import { expect, startServer, test } from '../harness/test';
import type { Server } from '../harness/server';

let provider: ModelProvider;
let server: Server;
test.beforeAll(async () => {
  provider = await startModelProvider();
  server = await startServer('server-models', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
});
test.afterAll(async () => {
  await server.stop();
  await provider.stop();
});

const KEY = 'sk-canary-0123456789-f3Kd';

test('a provider is set up, tried, used for an analysis and removed, without script', async ({ page }) => {
  const settings = `${server.url}/p/default/settings/providers`;
  const card = (name: string) => page.getByRole('article', { name, exact: true });
  await page.goto(settings);
  const fresh = card('OpenAI');
  await expect(fresh).toContainText('not set up');
  await fresh.getByText('Set up OpenAI').click();
  await fresh.getByLabel('Address').fill('http://10.0.0.1/v1');
  await fresh.getByLabel('Key').fill(KEY);
  await fresh.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('alert').first()).toContainText('no public address');
  await fresh.getByText('Set up OpenAI').click();
  await fresh.getByLabel('Address').fill(provider.url);
  await fresh.getByLabel('Key').fill(KEY);
  await fresh.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('.outcome')).toContainText('Saved');
  const own = card('openai');
  await expect(own).toContainText('••••f3Kd');
  expect(await page.content()).not.toContain('canary');

  // One tiny real call, and the true answer, good or bad.
  provider.say({ status: 404, text: 'no such model' });
  await own.getByLabel('Test with model').fill('gpt-9');
  await own.getByRole('button', { name: 'Test' }).click();
  await expect(own.getByRole('alert')).toContainText('404: no such model');
  await own.getByLabel('Test with model').fill('gpt-5-mini');
  await own.getByRole('button', { name: 'Test' }).click();
  await expect(own).toContainText('Answered “pong”');
  await expect(own).toContainText('1,000 tokens in, 50 out');

  // What it is for, and what it may cost.
  const use = page.getByRole('group', { name: 'Analyze run' });
  await use.getByLabel('Provider').selectOption('openai');
  await use.getByLabel('Model').fill('gpt-5-mini');
  await page.getByLabel('Dollars a month').fill('25');
  await page.getByRole('button', { name: 'Save uses and budget' }).click();
  await expect(page.getByText(/of \$25\.\d* is used or reserved/)).toBeVisible();
  await expect(page.getByRole('region', { name: 'Usage by feature', exact: true })).toContainText('Analyze run');

  // The demo's failing run: by rules without a click, by the model with one.
  await server.command('seed', '--days', '1', '--runs', '20');
  const run = `${server.url}/p/default/runs/cascade-demo`;
  await page.goto(run);
  const analysis = page.getByRole('region', { name: 'Analysis' });
  await expect(analysis.getByRole('region', { name: 'Root cause' })).toContainText('parse-request');
  await expect(analysis.getByRole('region', { name: 'What to change' }).getByRole('listitem').first()).toContainText('parse-request');
  provider.say({
    call: {
      name: 'report_analysis',
      arguments: {
        summary: [{ text: 'The ticket got no answer.', cites: [{ step_id: 'parse-request' }] }],
        root_cause: { step_id: 'parse-request', text: 'It stops inside its list.', cites: [{ step_id: 'parse-request', code: 2001 }] },
        recommendations: [
          { text: 'Give it a schema.', cites: [{ step_id: 'parse-request' }] },
          { text: 'PR 77 broke it.', cites: [{ deploy_id: 'pr-77' }] },
        ],
      },
    },
  });
  await analysis.getByRole('button', { name: 'Analyze with gpt-5-mini' }).click();
  await expect(page).toHaveURL(`${run}#analysis`);
  await expect.poll(async () => (await page.goto(run), analysis.innerText()), { timeout: 20_000 }).toContain('It stops inside its list.');
  await expect(analysis.getByRole('region', { name: 'Dropped claims' })).toContainText('there is no deploy pr-77');
  await expect(analysis.getByRole('heading', { name: '1 claim dropped' })).toBeVisible();
  const question = provider.asked.at(-1)!;
  expect(question).toContain('report_analysis');
  expect(question).not.toContain('canary');

  await page.goto(settings);
  await own.getByText('Remove…').click();
  await own.getByRole('button', { name: 'Remove the provider' }).click();
  await expect(page.locator('.outcome')).toContainText('its key are removed');
  await expect(card('OpenAI')).toContainText('not set up');
});
