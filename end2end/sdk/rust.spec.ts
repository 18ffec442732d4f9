// The programs of the Rust SDK's README and the dashboard's one, compiled in an empty project with the packed crate, and run.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { SENTENCE } from '../clients/harness/fixtures';
import { run } from '../clients/harness/program';
import { expect, test, type StoredStep } from '../clients/harness/test';
import { artifacts, repository } from '../harness/server';
import { rustCrate, rustPrograms } from './package';

type Recorded = [name: string, kind: string, parent: string | null, more?: Partial<StoredStep>][];
const answered = { model: 'claude-haiku-4-5', tokens: { input_fresh: 31, output: 17 } };

/** What each program records: names, kinds and the names of their parents; the first is the run's. */
const RECORDED: Record<string, Recorded> = {
  readme_1: [['answer', 'llm', null, answered]],
  readme_2: [
    ['agent.handle_message', 'agent', null],
    ['reasoning_loop', 'chain', 'agent.handle_message'],
    ['search', 'retrieval', 'reasoning_loop'],
    ['draft', 'llm', 'agent.handle_message', { model: 'in-house-7b', tokens: { input_fresh: 31, output: 17 } }],
  ],
  // Half of it comes from the proxy.
  readme_3: [
    ['answer-customer', 'agent', null],
    ['draft', 'llm', 'answer-customer', answered],
  ],
  // Sends nothing.
  readme_4: [],
  dashboard: [['answer', 'llm', null, answered]],
  dashboard_without_key: [['answer', 'llm', null, answered]],
};

const readme = readFileSync(join(repository, 'sdk/rust/README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```rust,no_run\n([^]*?)^```/gm)].map(([, program]) => program ?? '');
const dashboard = readFileSync(join(repository, 'docs/snippets/send/rust.rs'), 'utf8');

test('each program runs as it stands, and its run stands on the page (rust)', async ({ way, project, request }) => {
  // Where nothing is compiled yet.
  test.setTimeout(600_000);
  const sources: Record<string, string> = { dashboard, dashboard_without_key: dashboard.replace('.api_key("pl_live_...")', '') };
  for (const [index, block] of blocks.entries()) sources[`readme_${index + 1}`] = block;
  expect(Object.keys(sources).sort()).toEqual(Object.keys(RECORDED).sort());
  const filled = (text: string) =>
    text
      .replaceAll('pl_live_...', project.key)
      .replaceAll('http://127.0.0.1:3000', way.server.url)
      .replaceAll('https://api.anthropic.com', way.provider.url);
  const programs = rustPrograms(Object.fromEntries(Object.entries(sources).map(([name, text]) => [name, filled(text)])));

  const seen = new Set<string>();
  for (const [name, recorded] of Object.entries(RECORDED)) {
    const printed = await run(programs[name] ?? '', { ANTHROPIC_API_KEY: 'sk-ant-their-own', PLUMBLINE_API_URL: way.server.url }, artifacts);
    // Without a key it goes to the first project.
    const isOpen = name === 'dashboard_without_key';
    const page = (runId: string) => (isOpen ? `/p/default/runs/${runId}` : project.at(`runs/${runId}`));
    const read = isOpen ? {} : { headers: { authorization: `Bearer ${project.key}` } };
    if (name === 'readme_4') {
      expect(printed).toMatch(/^Trace: [0-9a-f]{32}\n(Metadata: .*\n)?▸ agent\.handle_message \(.*\) ✓\n  ▸ reasoning /);
      expect(readdirSync(join(artifacts, 'traces')).some((file) => /^[0-9a-f]{32}_\d+\.json$/.test(file))).toBe(true);
      continue;
    }
    if (name !== 'readme_2') expect(printed).toContain(SENTENCE);

    // The program has ended, so what it sent is stored; what the proxy saw follows at once.
    const runs = async () => {
      const { items } = (await (await request.get(`${way.server.url}/api/runs`, read)).json()) as { items: { run_id: string; step_count: number }[] };
      return items.filter(({ run_id, step_count }) => !seen.has(run_id) && step_count === recorded.length);
    };
    await expect.poll(async () => (await runs()).length, name).toBe(1);
    const id = (await runs())[0]?.run_id ?? '';
    seen.add(id);
    const { steps } = (await (await request.get(`${way.server.url}/api/runs/${id}`, read)).json()) as { steps: StoredStep[] };
    const names = new Map(steps.map(({ step_id, name }) => [step_id, name]));
    for (const [named, kind, parent, more] of recorded) {
      const step = steps.find((each) => each.name === named);
      expect(step, named).toMatchObject({ kind, status: 'ok', ...more });
      expect(names.get(step?.parent_step_id ?? '') ?? null, named).toBe(parent);
      if (more === answered) expect(Number(step?.cost_usd), named).toBeGreaterThan(0);
    }
    const html = await (await request.get(`${way.server.url}${page(id)}`)).text();
    for (const [step] of recorded) expect(html).toContain(step);
  }
});

test('the crate holds what it needs and nothing else', () => {
  const { files, bytes } = rustCrate();
  console.log(`plumbline-sdk: ${(bytes / 1024).toFixed(1)} KiB packed, ${files.length} files`);
  expect(files.filter((path) => !/^src\/[\w/]+\.rs$/.test(path)).sort()).toEqual(
    ['.cargo_vcs_info.json', 'CHANGELOG.md', 'Cargo.lock', 'Cargo.toml', 'Cargo.toml.orig', 'LICENSE', 'README.md'].filter(
      // Written only where the crate lies in a checkout.
      (path) => path !== '.cargo_vcs_info.json' || files.includes(path),
    ),
  );
  expect(bytes).toBeLessThan(64 * 1024);
});
