import { startModelProvider } from '../harness/model-provider';
import { axe, expect, hydrated, noSidewaysScroll, shots, startServer, test } from '../harness/test';

test('an investigation shows its look-ups as they come, and what holds of its verdict', async ({ page, request }) => {
  test.setTimeout(180_000);
  const provider = await startModelProvider();
  const server = await startServer('server-investigation', { PLUMBLINE_ALLOW_PRIVATE_TARGETS: '127.0.0.1' });
  try {
    await server.command('seed', '--runs', '320');
    const found = async () => {
      const answer = await request.get(`${server.url}/api/incidents`);
      return (await answer.json()).items as { id: string; verdict: { deploy_id: string | null } }[];
    };
    await expect.poll(async () => (await found()).map((item) => item.verdict.deploy_id), { timeout: 60_000 }).toEqual(['demo-pr-2']);
    const model = { provider: 'own', model: 'gpt-5-mini' };
    const saved = await request.put(`${server.url}/api/settings/models`, {
      data: { providers: [{ id: 'own', kind: 'openai_compatible', base_url: provider.url, api_key: 'sk-their-own' }], uses: { investigation: model, chat: model } },
    });
    expect(saved.ok(), await saved.text()).toBe(true);
    provider.say(
      { call: { name: 'compare_keys', arguments: { days: 9 } } },
      { call: { name: 'diff_prompt_model_mix', arguments: { deploy: 'PR-2' } } },
      {
        call: {
          name: 'submit_verdict',
          arguments: {
            deploy_id: 'demo-pr-2',
            cause: 'The summary endpoint is answered by a dearer model',
            confidence: 0.92,
            evidence: [
              { text: 'The deploy switched the model of the summaries', look_ups: [2], deploy_ids: ['demo-pr-2'] },
              { text: 'A day costs $987,654.32 since then', look_ups: [1] },
            ],
            recommendations: [{ text: 'Return the summaries to the cheaper model', look_ups: [2] }],
          },
        },
      },
    );

    const [incident] = await found();
    await page.goto(`${server.url}/p/default/incidents/${incident!.id}`);
    await hydrated(page);
    const investigation = page.getByRole('region', { name: 'Investigation', exact: true });
    await investigation.getByRole('button', { name: 'Investigate' }).click();
    await expect(investigation).toContainText('The summary endpoint is answered by a dearer model');
    await expect(investigation).toContainText('The model is sure');
    await expect(investigation).toContainText('1 claim, 1 dropped');
    await expect(investigation).toContainText('is price per call and');
    const steps = page.getByRole('region', { name: 'How it got there' });
    await expect(steps.getByRole('listitem')).toHaveCount(2);
    await expect(steps).toContainText('deploy=PR-2');
    await hydrated(page);
    await axe(page);
    await noSidewaysScroll(page);
    await shots(page, 'investigation-by-a-model');

    provider.say({ call: { name: 'compare_keys', arguments: {} } }, { text: 'Only prod-frontend moved [1].' });
    await investigation.getByRole('link', { name: 'Ask' }).click();
    await page.getByLabel('Ask about this page').fill('Which keys moved?');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    const conversation = page.getByRole('log', { name: 'Conversation' });
    await expect(conversation).toContainText('Only prod-frontend moved');
    await expect(conversation.getByRole('link', { name: 'Look-up 1' })).toBeVisible();
    expect(provider.asked.at(-1)).toContain(`incidents/${incident!.id}`);
  } finally {
    // First the page, which would complain that its server is gone.
    await page.close();
    await server.stop();
    await provider.stop();
  }
});
