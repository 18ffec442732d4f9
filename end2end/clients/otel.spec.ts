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
/** What Anthropic says of its call; its input is without the cache. */
const OF_ANTHROPIC = { input_fresh: 40, cache_read: 12_000, cache_write: 300, output: 57 };
/** Gpt-4o-mini asks $0.15 for a million tokens, $0.075 for cached ones, $0.60 for those that come out. */
const OPENAI_COST = '0.0002832';
/** Claude Sonnet 4.5 asks $3, $0.30 for cached ones, $3.75 for those that are written to the cache, $15. */
const ANTHROPIC_COST = '0.0057';

interface Sender {
  readonly what: string;
  readonly program: string;
  readonly instrumentation?: string;
  /** Without one: protobuf over HTTP. */
  readonly protocol?: 'grpc' | 'http/json';
  readonly steps: number;
  readonly root: RegExp;
  readonly tokens: typeof CACHED | typeof PLAIN | typeof OF_ANTHROPIC;
  readonly cost: string;
}

const PYTHON = { program: 'otel_agent.py', steps: 3, root: /^agent$/, tokens: CACHED, cost: OPENAI_COST };
const NODE = { program: 'otel_agent.mjs', steps: 3, root: /^agent$/, tokens: CACHED, cost: OPENAI_COST };

const SENDERS: Sender[] = [
  { ...PYTHON, what: 'OpenInference', instrumentation: 'openinference' },
  { ...PYTHON, what: 'OpenInference over gRPC', instrumentation: 'openinference', protocol: 'grpc' },
  // Anthropic's client makes a span of its own inside of the instrumentation's: the call counts once.
  { ...PYTHON, what: "OpenInference and Anthropic's own", instrumentation: 'openinference-anthropic', steps: 4, tokens: OF_ANTHROPIC, cost: ANTHROPIC_COST },
  { ...PYTHON, what: "OpenTelemetry's own", instrumentation: 'semantic-conventions', tokens: PLAIN, cost: '0.00036' },
  { ...PYTHON, what: 'OpenLLMetry', instrumentation: 'traceloop', root: /^agent\.workflow$/ },
  { ...PYTHON, what: 'Langfuse', instrumentation: 'langfuse' },
  { ...PYTHON, what: 'TraceRoot', instrumentation: 'traceroot' },
  { ...NODE, what: 'the Vercel AI SDK, in JSON', protocol: 'http/json' },
  { ...NODE, what: 'the Vercel AI SDK, in protobuf' },
  { ...NODE, what: 'the Vercel AI SDK over gRPC', protocol: 'grpc' },
];

/** The others say on the page that connects an app that no test runs them. */
const TESTED = [
  'python.py',
  'node.mjs',
  'openllmetry.py',
  'vercel-ai.mjs',
  'openai-agents.py',
  'langchain.py',
  'pydantic-ai.py',
  'litellm.py',
  'langfuse.py',
  'traceroot.py',
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
        TRACEROOT_HOST_URL: url,
        TRACEROOT_API_KEY: project.key,
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

    const calls = stored.steps.filter(({ cost_usd }) => cost_usd !== null);
    expect(calls, 'one step counts').toHaveLength(1);
    const call = calls[0] as StoredStep;
    const model = tokens === OF_ANTHROPIC ? 'claude-sonnet-4-5-20250929' : 'gpt-4o-mini-2024-07-18';
    expect(call).toMatchObject({ kind: 'llm', model, cost_usd: cost, tokens, status: 'ok' });
    const parentOf = ({ parent_step_id }: StoredStep) => stored.steps.find(({ step_id }) => step_id === parent_step_id);
    let ancestors = 0;
    for (let parent = parentOf(call); parent; parent = parentOf(parent)) ancestors += 1;
    expect(ancestors, 'it lies in all the others, from the root on').toBe(steps - 1);
    if (tokens === PLAIN) return; // tells of texts in logs alone
    // Anthropic's own span counts and says nothing of what was said: that is in the instrumentation's, around it.
    const telling = tokens === OF_ANTHROPIC ? parentOf(call)! : call;
    const payload = (await get(`/api/runs/${items[0]!.run_id}/steps/${telling.step_id}/payload`)) as { input: string; output: string };
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is a plumb line?' },
    ];
    expect(JSON.parse(payload.input)).toEqual({ messages });
    expect(payload.output).toBe('Straight down.');
  });
}

for (const file of TESTED) {
  test(`docs/snippets/otel/${file} is seen as a run`, async ({ way, project, request }) => {
    const text = readFileSync(join(repository, 'docs/snippets/otel', file), 'utf8');
    // Below the folder with Node's packages, where a program finds them.
    const copy = join(artifacts, `otel-${file}`);
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(copy, text.replaceAll('http://127.0.0.1:3000', way.server.url).replaceAll('pl_live_...', project.key));
    const provider = `${way.provider.url}/v1`;
    // LiteLLM would fetch its list of prices.
    const environment = { OPENAI_API_KEY: 'sk-their-own', OPENAI_BASE_URL: provider, LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
    const printed = await run(copy, environment, undefined, 'otel-venv');
    if (file !== 'openllmetry.py') expect(printed).toBe(SENTENCE);

    const read = { headers: { authorization: `Bearer ${project.key}` } };
    const { items } = (await (await request.get(`${way.server.url}/api/runs`, read)).json()) as { items: StoredRun['run'][] };
    expect(items).toHaveLength(1);
    const { steps } = (await (await request.get(`${way.server.url}/api/runs/${items[0]!.run_id}`, read)).json()) as StoredRun;
    const call = steps.find(({ kind }) => kind === 'llm');
    expect(call).toMatchObject({ status: 'ok', model: 'gpt-4o-mini', tokens: { input_fresh: 31, output: 17 } });
  });
}
