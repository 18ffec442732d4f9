// The programs of the READMEs, run as a user who copied them would: the package installed, the key filled in, the
// provider's key in the environment, nothing else.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SENTENCE } from '../clients/harness/fixtures';
import { run } from '../clients/harness/program';
import { expect, test, type StoredStep } from '../clients/harness/test';
import { repository } from '../harness/server';
import { nodeProject, pythonPackage, pythonWheel } from './package';

/** What the programs record: names, kinds and the names of their parents. */
type Recorded = [name: string, kind: string, parent: string | null, more?: Partial<StoredStep>][];
const wrapped: Recorded[] = [
  [['step_1', 'llm', null, { model: 'claude-haiku-4-5', tokens: { input_fresh: 31, output: 17 } }]],
  [
    ['answer-customer', 'chain', null, { tokens: { input_fresh: null } }],
    ['draft', 'llm', 'answer-customer', { model: 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } }],
  ],
  [
    ['answer', 'agent', null],
    ['search', 'retrieval', 'answer'],
    ['write', 'llm', 'answer', { model: 'claude-haiku-4-5', tokens: { input_fresh: 31, output: 17 } }],
  ],
];
const initialized: Recorded = [['step_1', 'llm', null, { model: 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } }]];
const framework: Recorded = [
  ['answer-customer', 'agent', null],
  ['RunnableSequence', 'chain', 'answer-customer'],
  ['ChatPromptTemplate', 'other', 'RunnableSequence'],
  ['ChatOpenAI', 'llm', 'RunnableSequence', { model: 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } }],
];
const ingested: Recorded = [['classify', 'llm', null, { model: 'in-house-7b', cost_usd: '0.0014', tokens: { input_fresh: 120, output: 1 } }]];

const LANGUAGES = [
  { name: 'typescript', block: 'js', file: 'program.mjs', recorded: [...wrapped, ingested] },
  { name: 'python', block: 'python', file: 'program.py', recorded: [...wrapped, initialized, framework, ingested] },
].map((language) => {
  const readme = readFileSync(join(repository, `sdk/${language.name}/README.md`), 'utf8');
  const blocks = readme.matchAll(new RegExp(`^\`\`\`${language.block}\\n([^]*?)^\`\`\``, 'gm'));
  return { ...language, programs: [...blocks].map(([, program]) => program ?? '') };
});

for (const { name, file, programs, recorded } of LANGUAGES) {
  test(`each program of the README is here (${name})`, () => expect(programs).toHaveLength(recorded.length));

  for (const [index, program] of programs.entries()) {
    test(`program ${index + 1} of the README runs as it stands, and its run stands on the page (${name})`, async ({ way, project, request }) => {
      expect(program.split('pl_live_...'), 'the key stands in it once').toHaveLength(2);
      const copy = join(nodeProject().folder, file);
      writeFileSync(copy, program.replace('pl_live_...', project.key));
      const venv = program.includes('langchain') ? 'otel-venv' : 'clients-venv';
      const variables = {
        ANTHROPIC_API_KEY: 'sk-ant-their-own',
        ANTHROPIC_BASE_URL: way.provider.url,
        OPENAI_API_KEY: 'sk-their-own',
        OPENAI_BASE_URL: `${way.provider.url}/v1`,
        PLUMBLINE_API_URL: way.server.url,
        ...(name === 'python' ? { PYTHONPATH: pythonPackage() } : {}),
      };
      const printed = await run(copy, variables, undefined, venv);
      if (index < programs.length - 1) expect(printed).toContain(SENTENCE);

      // The program has ended, so everything is stored.
      const read = { headers: { authorization: `Bearer ${project.key}` } };
      const { items } = (await (await request.get(`${way.server.url}/api/runs`, read)).json()) as { items: { run_id: string }[] };
      expect(items).toHaveLength(1);
      const { steps } = (await (await request.get(`${way.server.url}/api/runs/${items[0]?.run_id}`, read)).json()) as { steps: StoredStep[] };
      const names = new Map(steps.map(({ step_id, name }) => [step_id, name]));
      const expected = recorded[index] ?? [];
      expect(steps).toHaveLength(expected.length);
      for (const [named, kind, parent, more] of expected) {
        const step = steps.find((each) => each.name === named);
        expect(step, named).toMatchObject({ kind, status: 'ok', ...more });
        expect(names.get(step?.parent_step_id ?? '') ?? null, named).toBe(parent);
      }
      const html = await (await request.get(`${way.server.url}${project.at(`runs/${items[0]?.run_id}`)}`)).text();
      for (const [step] of expected) expect(html).toContain(step);
    });
  }
}

test('the lines of the quickstart are those of programs that are run', () => {
  const quickstart = readFileSync(join(repository, 'docs/quickstart.md'), 'utf8');
  const blocks = [...quickstart.matchAll(/^ *```(js|python|rust)\n([^]*?)^ *```/gm)];
  expect(blocks.map(([, language]) => language)).toEqual(['js', 'python', 'rust']);
  for (const [, language, lines] of blocks) {
    const readme = readFileSync(join(repository, `sdk/${language === 'js' ? 'typescript' : language}/README.md`), 'utf8');
    const known = readme.split('\n').map((line) => line.trim());
    for (const line of (lines ?? '').trim().split('\n')) expect(known).toContain(line.trim());
  }
});

test('the wheel holds what it needs and nothing else', () => {
  const { files, bytes } = pythonWheel();
  console.log(`plumbline: ${(bytes / 1024).toFixed(1)} KiB packed, ${files.length} files`);
  expect(files.filter((path) => !/^plumbline\/(clients\/)?\w+\.py$/.test(path)).sort()).toEqual([
    'plumbline-0.1.0.dist-info/METADATA',
    'plumbline-0.1.0.dist-info/RECORD',
    'plumbline-0.1.0.dist-info/WHEEL',
    'plumbline-0.1.0.dist-info/licenses/LICENSE',
    'plumbline/py.typed',
  ]);
  expect(bytes).toBeLessThan(64 * 1024);
});

test('the package holds what it needs and nothing else', () => {
  const { files, packedBytes } = nodeProject();
  console.log(`@plumbline/sdk: ${(packedBytes / 1024).toFixed(1)} KiB packed, ${files.length} files`);
  expect(files.filter((path) => !/^dist\/(esm|cjs)\/[\w/-]+\.(js|d\.ts)$/.test(path)).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/cjs/package.json',
    'package.json',
  ]);
  expect(packedBytes).toBeLessThan(64 * 1024);
});
