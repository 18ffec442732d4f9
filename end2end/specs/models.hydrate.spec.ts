import { startModelProvider } from '../harness/model-provider';
import { axe, expect, hydrated, shots, startServer, test } from '../harness/test';

test('models and an analysis look right, the analysis comes by itself, and axe finds nothing', async ({ page }) => {
  test.slow(); // a day is written first, and pictures of two long pages are taken
  const provider = await startModelProvider();
  const server = await startServer('server-models-look', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
  try {
    const model = { provider: 'local', model: 'gpt-5-mini' };
    const saved = await page.request.put(`${server.url}/api/settings/models`, {
      data: {
        providers: [{ id: 'local', kind: 'openai_compatible', base_url: provider.url, api_key: 'sk-0123456789abcdef' }],
        uses: { analysis: model, chat: model },
        budget_usd: '25.00',
      },
    });
    expect(saved.ok()).toBe(true);
    await page.request.post(`${server.url}/api/settings/models/local/test`);
    await page.goto(`${server.url}/p/default/settings/providers`);
    await hydrated(page);
    await expect(page.getByRole('article', { name: 'local' })).toContainText('Answered “pong”');
    await axe(page);
    await shots(page, 'settings-models');

    await server.command('seed', '--days', '1', '--runs', '20');
    provider.say({
      call: {
        name: 'report_analysis',
        arguments: {
          summary: [{ text: 'The ticket got no answer.', cites: [{ step_id: 'parse-request' }] }],
          root_cause: { step_id: 'parse-request', text: 'It stops inside its list.', cites: [{ step_id: 'parse-request' }] },
          recommendations: [{ text: 'Sell the house.', cites: [] }],
        },
      },
    });
    await page.goto(`${server.url}/p/default/runs/cascade-demo`);
    await hydrated(page);
    const analysis = page.getByRole('region', { name: 'Analysis' });
    await expect(analysis).toContainText('parse-request');
    await axe(page);
    await analysis.getByRole('button', { name: 'Analyze with gpt-5-mini' }).click();
    await expect(analysis, 'without a reload').toContainText('It stops inside its list.', { timeout: 20_000 });
    await expect(analysis.getByRole('heading', { name: '1 claim dropped' })).toBeVisible();
    await hydrated(page);
    await axe(page);
    await shots(page, 'run-analysis');
  } finally {
    // First the page, which would complain that its server is gone.
    await page.close();
    await server.stop();
    await provider.stop();
  }
});
