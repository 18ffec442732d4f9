// The dashboard's programs that send what they did, with and without a key; the Rust one is compiled in rust.spec.ts.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SENTENCE } from '../clients/harness/fixtures';
import { run } from '../clients/harness/program';
import { expect, test, type StoredStep } from '../clients/harness/test';
import { repository } from '../harness/server';
import { nodeProject, pythonPackage } from './package';

/** What is left out where no key is needed, as app/src/pages/connect/program.rs does. */
const FILES: [file: string, keyArgument: string, prints: string][] = [
  ['typescript.mjs', "apiKey: 'pl_live_...', ", SENTENCE],
  ['python.py', 'api_key="pl_live_...", ', SENTENCE],
  ['curl.sh', '  -H "Authorization: Bearer pl_live_..." \\\n', '"status":"stored"'],
];

for (const [file, keyArgument, prints] of FILES) {
  for (const hasKey of [true, false]) {
    test(`docs/snippets/send/${file} ${hasKey ? 'with its key' : 'without a key'} is seen as a step`, async ({ way, project, request }) => {
      const text = readFileSync(join(repository, 'docs/snippets/send', file), 'utf8');
      expect(text.split('http://127.0.0.1:3000'), 'the address stands in it once').toHaveLength(2);
      expect(text.split(keyArgument), 'the key stands in it once').toHaveLength(2);
      const since = new Date().toISOString();
      const keyed = hasKey ? text.replace('pl_live_...', project.key) : text.replace(keyArgument, '');
      const copy = join(nodeProject().folder, `${hasKey ? 'keyed' : 'open'}-${file}`);
      // Without a key all tests send into one project.
      writeFileSync(copy, keyed.replace('http://127.0.0.1:3000', way.server.url).replace('ticket-4711', `ticket-${hasKey}`));
      const printed = await run(copy, {
        ANTHROPIC_API_KEY: 'sk-ant-their-own',
        ANTHROPIC_BASE_URL: way.provider.url,
        ...(file.endsWith('.py') ? { PYTHONPATH: pythonPackage() } : {}),
      });
      expect(printed.replaceAll(' ', '')).toContain(prints.replaceAll(' ', ''));

      const read = hasKey ? { headers: { authorization: `Bearer ${project.key}` } } : {};
      const { items } = (await (await request.get(`${way.server.url}/api/runs?limit=100`, read)).json()) as { items: { run_id: string; started_at: string }[] };
      const id = items.find(({ started_at }) => started_at >= since || file === 'curl.sh')?.run_id ?? '';
      const { steps } = (await (await request.get(`${way.server.url}/api/runs/${id}`, read)).json()) as { steps: StoredStep[] };
      expect(steps).toMatchObject([{ name: 'answer', kind: 'llm', status: 'ok', model: 'claude-haiku-4-5', tokens: { input_fresh: 31, output: 17 } }]);
      expect(Number(steps[0]?.cost_usd)).toBeGreaterThan(0);
    });
  }
}
