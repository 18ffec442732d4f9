// The snippets that the dashboard shows, run as a user who copied them would: address and key filled in, the provider's
// key in the environment, nothing else. Those in `send` go past the proxy: end2end/sdk runs them; those in `otel`
// as well: otel.spec.ts does.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { artifacts, repository } from '../harness/server';
import { SENTENCE } from './harness/fixtures';
import { header } from './harness/http';
import { run } from './harness/program';
import { expect, test } from './harness/test';

const folder = join(repository, 'docs/snippets');

for (const file of readdirSync(folder).filter((name) => name.includes('.')).sort()) {
  test(`docs/snippets/${file} prints the answer and is seen as a step`, async ({ way, project, request }) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const filled = text.replaceAll('http://127.0.0.1:3000', way.server.url).replaceAll('pl_live_...', project.key);
    expect(filled.split(way.server.url), 'the address stands in it once').toHaveLength(2);
    expect(filled.split(project.key), 'the key stands in it once').toHaveLength(2);
    // Below the folder with Node's packages, where a program finds them.
    const copy = join(artifacts, file);
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(copy, filled);

    way.far.take();
    const printed = await run(copy, { ANTHROPIC_API_KEY: 'sk-ant-their-own', OPENAI_API_KEY: 'sk-their-own' });
    expect(printed).toBe(SENTENCE);
    const [call] = way.far.take();
    expect(header(call!.request, 'x-api-key') ?? header(call!.request, 'authorization')).toMatch(/^(Bearer )?sk-(ant-)?their-own$/);

    const read = { headers: { authorization: `Bearer ${project.key}` } };
    const runs = async () => ((await (await request.get(`${way.server.url}/api/runs`, read)).json()) as { items: { run_id: string }[] }).items;
    await expect.poll(async () => (await runs()).length).toBe(1);
    const id = (await runs())[0]?.run_id ?? '';
    const found = await (await request.get(`${way.server.url}/api/runs/${id}`, read)).json();
    expect(found.steps).toMatchObject([
      { name: 'answer', status: 'ok', key: 'e2e', model: file.includes('anthropic') ? 'claude-haiku-4-5' : 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } },
    ]);
    expect(found.steps[0].ttft_ms).toBeGreaterThan(0);
  });
}
