import { axe, hydrated, noSidewaysScroll, shots, test } from '../harness/test';

test('the prompts pages look right in both themes and sizes, and axe finds nothing', async ({ page, project }) => {
  const day = 86_400_000;
  const system = (n: number) => `You sort requests of a shop.\nAnswer in JSON with the keys intent${n > 1 ? ', order' : ''}${n > 2 ? ' and mood' : ''}.\nNever invent an order.`;
  await project.ingest(
    ...[1, 2, 3].flatMap((version) =>
      Array.from({ length: 30 }, (_, at) => ({
        run_id: `run-${version}-${at}`,
        step_name: at % 3 === 0 ? 'draft-reply' : 'parse-request',
        model: ['gpt-4o-mini', 'gpt-4o', 'claude-haiku-4-5'][at % 3],
        prompt: JSON.stringify({ system: system(version), messages: [{ role: 'user', content: `Customer ${at} asks again` }] }),
        started_at: new Date(Date.now() - (7 - version * 2) * day + at * 60_000).toISOString(),
      })),
    ),
  );
  await page.goto(project.at('prompts'));
  await hydrated(page);
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'prompts');
  await page.locator('table.prompts tbody tr:not(.group) a').first().click();
  await page.getByRole('heading', { name: 'What changed' }).waitFor();
  await axe(page);
  await noSidewaysScroll(page);
  await shots(page, 'prompt');
});
