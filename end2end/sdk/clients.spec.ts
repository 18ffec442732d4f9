// The scenarios of `clients`, with the providers' clients wrapped by our SDK instead of pointed at the proxy. The program
// must not be able to tell the difference, the provider neither, and every call must be a step, as the proxy records it.

import { join } from 'node:path';

import { essence } from '../clients/harness/compare';
import { anthropicSteps, openaiSteps, STREAMS, type Expected } from '../clients/harness/expected';
import { header, type Exchange } from '../clients/harness/http';
import { outcomes, type Outcome } from '../clients/harness/program';
import { expect, storedSteps, test } from '../clients/harness/test';
import { nodeProject, pythonPackage } from './package';

const PROGRAMS: [program: string, steps: Record<string, Expected[]>][] = [
  ['anthropic_calls.mjs', anthropicSteps],
  ['openai_calls.mjs', openaiSteps],
  ['anthropic_calls.py', anthropicSteps],
  ['openai_calls.py', openaiSteps],
];

/** What the SDK sees otherwise than the proxy, scenario by scenario. */
const SEEN_OTHERWISE: Record<string, Expected[]> = {
  // The client tries again by itself; the SDK sees what comes of it.
  retry: [{ status: 'ok', tokens: { input_fresh: 25, output: 9 } }],
  // To the proxy this is a caller who has left; the SDK knows that it was a timeout.
  'never-answered': [{ status: 'error' }],
};

const weMayAsk = (scenario: string) => /^(chat|completions)-/.test(scenario) && !scenario.endsWith('-asked');
const scenarioOf = ({ request }: Exchange) => header(request, 'x-scenario') ?? request.start;

/** Where we ask what a stream used, OpenAI writes `usage: null` into every chunk; the one that has usage is taken out. */
function withoutEmptyUsage(outcome: Outcome): Outcome {
  if (!weMayAsk(outcome.scenario) || !Array.isArray(outcome.returned)) return outcome;
  const chunks = outcome.returned as Record<string, unknown>[];
  return { ...outcome, returned: chunks.map(({ usage, ...chunk }) => (usage === null ? chunk : { ...chunk, usage })) };
}

/** The body that was sent, without the one thing that we ask for. */
function withoutOurQuestion({ request }: Exchange): unknown {
  const body = JSON.parse(request.body.toString() || 'null') as Record<string, unknown> | null;
  const { stream_options: options, ...rest } = body ?? {};
  const isOurs = weMayAsk(header(request, 'x-scenario') ?? '') && JSON.stringify(options) === '{"include_usage":true}';
  return isOurs ? rest : body;
}

for (const [program, expected] of PROGRAMS) {
  test(`${program} cannot tell a wrapped client from its own, and each call is a step`, async ({ way, project, stored, request }) => {
    const prefix = `sdk-${program}-`;
    const { direct, server } = way;
    const isPython = program.endsWith('.py');
    const installed: { folder?: string; environment: Record<string, string> } = isPython
      ? { environment: { PYTHONPATH: pythonPackage() } }
      : { folder: join(nodeProject().folder, 'programs'), environment: {} };
    const plain = await outcomes(program, direct.url, prefix, project.key, installed);
    const plainCalls = direct.take();
    const seen = await outcomes(program, direct.url, prefix, project.key, {
      ...installed,
      environment: { ...installed.environment, CLIENT_SDK: server.url },
    });
    const calls = direct.take();

    // The program: what was returned, what was raised.
    expect(seen.map(({ scenario }) => scenario)).toEqual(Object.keys(expected));
    for (const [index, outcome] of seen.entries()) expect(withoutEmptyUsage(outcome)).toEqual(plain[index]);

    // The wire: the provider was asked the same, and only for the usage of streams beyond that.
    expect(calls.map(scenarioOf)).toEqual(plainCalls.map(scenarioOf));
    for (const [index, call] of calls.entries()) {
      const plainCall = plainCalls[index] as Exchange;
      const scenario = scenarioOf(call);
      expect(withoutOurQuestion(call), scenario).toEqual(JSON.parse(plainCall.request.body.toString() || 'null'));
      // The answer to another question is another one.
      if (!weMayAsk(scenario)) expect(essence(call), scenario).toEqual(essence(plainCall));
    }

    // The record.
    for (const [scenario, proxied] of Object.entries(expected)) {
      const steps = SEEN_OTHERWISE[scenario] ?? proxied;
      if (steps.length === 0) continue;
      const { run, steps: found } = await stored(`${prefix}${scenario}`, steps.length);
      expect(run, scenario).toMatchObject({ session_id: `${prefix}session`, user_id: 'u-1' });
      for (const [index, step] of steps.entries()) {
        expect(found[index], scenario).toMatchObject({ name: scenario, key: 'e2e', ...step });
        if (step.status === 'error') expect(found[index]?.error, scenario).toBeTruthy();
        if (step.status === 'ok' && STREAMS.test(scenario)) expect(found[index]?.ttft_ms, `ttft_ms of ${scenario}`).toBeGreaterThan(0);
      }
    }
    const all = Object.entries(expected).flatMap(([scenario, steps]) => SEEN_OTHERWISE[scenario] ?? steps).length;
    expect(await storedSteps(request, server.url, project.key)).toBe(all);
  });
}
