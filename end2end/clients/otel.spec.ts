// Agents under other people's instrumentations, whose one URL is changed: the same call is the same step, with the same
// tokens and the same cost, whoever tells of it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { artifacts, repository } from '../harness/server';
import { SENTENCE } from './harness/fixtures';
import { run } from './harness/program';
import { expect, test, type StoredRun, type StoredStep } from './harness/test';

const programs = join(dirname(fileURLToPath(import.meta.url)), 'programs');

/** 1,200 tokens in, of them 1,024 from the cache; 300 out, of them 192 of reasoning: what the provider says it was. */
const CACHED = { input_fresh: 176, cache_read: 1_024, output: 300, reasoning: 192 };
/** OpenTelemetry's own instrumentation says nothing of the cache. */
const PLAIN = { input_fresh: 1_200, cache_read: null, output: 300, reasoning: null };

interface Sender {
  readonly what: string;
  readonly program: string;
  readonly instrumentation?: string;
  readonly protocol?: 'grpc';
  readonly steps: number;
  readonly root: RegExp;
  readonly tokens: typeof CACHED | typeof PLAIN;
  /** Gpt-4o-mini asks $0.15 for a million tokens, $0.075 for cached ones, $0.60 for those that come out. */
  readonly cost: string;
}

const SENDERS: Sender[] = [
  { what: 'OpenInference', program: 'otel_agent.py', instrumentation: 'openinference', steps: 3, root: /^agent$/, tokens: CACHED, cost: '0.0002832' },
  { what: 'OpenInference over gRPC', program: 'otel_agent.py', instrumentation: 'openinference', protocol: 'grpc', steps: 3, root: /^agent$/, tokens: CACHED, cost: '0.0002832' },
  { what: "OpenTelemetry's own", program: 'otel_agent.py', instrumentation: 'semantic-conventions', steps: 3, root: /^agent$/, tokens: PLAIN, cost: '0.00036' },
  { what: 'OpenLLMetry', program: 'otel_agent.py', instrumentation: 'traceloop', steps: 3, root: /^agent\.workflow$/, tokens: CACHED, cost: '0.0002832' },
  { what: 'Langfuse', program: 'otel_agent.py', instrumentation: 'langfuse', steps: 3, root: /^agent$/, tokens: CACHED, cost: '0.0002832' },
  { what: 'the Vercel AI SDK, in JSON', program: 'otel_agent.mjs', steps: 3, root: /^agent$/, tokens: CACHED, cost: '0.0002832' },
];

for (const { what, program, instrumentation, protocol, steps, root, tokens, cost } of SENDERS) {
  test(`${what}: a small agent is a run with its cost`, async ({ way, project, request }) => {
    const { url } = way.server;
    await run(
      join(programs, program),
      {
        CLIENT_BASE_URL: way.provider.url,
        CLIENT_PLUMBLINE_KEY: project.key,
        CLIENT_INSTRUMENTATION: instrumentation ?? '',
        OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? way.server.grpcUrl : url,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol ?? 'http/protobuf',
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${project.key}`,
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
        LANGFUSE_BASE_URL: url,
        LANGFUSE_PUBLIC_KEY: 'pk-lf-anything',
        LANGFUSE_SECRET_KEY: project.key,
      },
      undefined,
      'otel-venv',
    );
    const get = async (path: string) => {
      const answer = await request.get(`${url}${path}`, { headers: { authorization: `Bearer ${project.key}` } });
      expect(answer.status(), path).toBe(200);
      return (await answer.json()) as unknown;
    };
    const { items } = (await get('/api/runs')) as { items: StoredRun['run'][] };
    expect(items).toHaveLength(1);
    const stored = (await get(`/api/runs/${items[0]!.run_id}`)) as StoredRun;
    expect(stored.run).toMatchObject({ step_count: steps, session_id: 's-1', user_id: 'u-1', cost_usd: cost, tokens });
    expect(stored.run.name).toMatch(root);
    expect(['ok', 'running'], 'nothing failed; it is complete ten seconds later').toContain(stored.run.status);

    const call = stored.steps.find(({ kind }) => kind === 'llm') as StoredStep;
    expect(call).toMatchObject({ model: 'gpt-4o-mini-2024-07-18', cost_usd: cost, tokens, status: 'ok' });
    const parent = stored.steps.find(({ step_id }) => step_id === call.parent_step_id);
    expect(parent, 'it lies in a step that lies in the root').toMatchObject({ parent_step_id: stored.steps.find(({ parent_step_id }) => parent_step_id === null)?.step_id });
    if (tokens === PLAIN) return; // tells of texts in logs alone
    const payload = (await get(`/api/runs/${items[0]!.run_id}/steps/${call.step_id}/payload`)) as { input: string; output: string };
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is a plumb line?' },
    ];
    expect(JSON.parse(payload.input)).toEqual({ messages });
    expect(payload.output).toBe('Straight down.');
  });
}

for (const file of ['python.py', 'openllmetry.py', 'vercel-ai.mjs']) {
  test(`docs/snippets/otel/${file} is seen as a run`, async ({ way, project, request }) => {
    const text = readFileSync(join(repository, 'docs/snippets/otel', file), 'utf8');
    // Below the folder with Node's packages, where a program finds them.
    const copy = join(artifacts, `otel-${file}`);
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(copy, text.replaceAll('http://127.0.0.1:3000', way.server.url).replaceAll('pl_live_...', project.key));
    const provider = `${way.provider.url}/v1`;
    const printed = await run(copy, { OPENAI_API_KEY: 'sk-their-own', OPENAI_BASE_URL: provider }, undefined, 'otel-venv');
    if (file !== 'openllmetry.py') expect(printed).toBe(SENTENCE);

    const read = { headers: { authorization: `Bearer ${project.key}` } };
    const { items } = (await (await request.get(`${way.server.url}/api/runs`, read)).json()) as { items: StoredRun['run'][] };
    expect(items).toHaveLength(1);
    const { steps } = (await (await request.get(`${way.server.url}/api/runs/${items[0]!.run_id}`, read)).json()) as StoredRun;
    const call = steps.find(({ kind }) => kind === 'llm');
    expect(call).toMatchObject({ status: 'ok', model: 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } });
  });
}
