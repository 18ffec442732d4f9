// The providers' own clients, once straight to a provider and once through the proxy. The program must not be able to
// tell the difference, the provider neither, and every call must be a step.

import { changes, essence, withoutFieldsOfOurs } from './harness/compare';
import { anthropicSteps, openaiSteps, STREAMS, type Expected } from './harness/expected';
import { header, type Exchange } from './harness/http';
import { outcomes, type Outcome } from './harness/program';
import { expect, storedSteps, test } from './harness/test';

const PROGRAMS: [program: string, steps: Record<string, Expected[]>][] = [
  ['anthropic_calls.py', anthropicSteps],
  ['anthropic_calls.mjs', anthropicSteps],
  ['openai_calls.py', openaiSteps],
  ['openai_calls.mjs', openaiSteps],
];

/** Where the provider hangs up without a word, the proxy has to find one: 502, which clients raise as such. */
const PROXY_ANSWERS: Record<string, number> = { 'chat-disconnect': 502 };

/**
 * Where the proxy asks what a stream used and the program did not, OpenAI writes `usage: null` into every chunk. The one
 * chunk that has usage is taken out; the others are left as they came.
 */
function withoutEmptyUsage(outcome: Outcome): Outcome {
  if (!weMayAsk(outcome.scenario) || !Array.isArray(outcome.returned)) return outcome;
  const chunks = outcome.returned as Record<string, unknown>[];
  return { ...outcome, returned: chunks.map(({ usage, ...chunk }) => (usage === null ? chunk : { ...chunk, usage })) };
}

const weMayAsk = (scenario: string) => /^(chat|completions)-/.test(scenario) && !scenario.endsWith('-asked');

const scenarioOf = ({ request }: Exchange) => header(request, 'x-scenario') ?? request.start;

for (const [program, expected] of PROGRAMS) {
  test(`${program} cannot tell the proxy from the provider, and each call is a step`, async ({ way, project, stored, request }) => {
    const prefix = `${program}-`;
    const { provider, far, direct, proxied, server } = way;
    const wouldLeave = Object.keys(expected).filter((scenario) => /held-open|never-answered/.test(scenario));
    /** Once the provider has seen all of them go, nothing is under way any more. */
    const allHaveLeft = async () => {
      const left: string[] = [];
      await expect
        .poll(() => left.push(...provider.takeAbandoned()) && left.filter((each) => wouldLeave.includes(each)).sort())
        .toEqual([...wouldLeave].sort());
    };

    const before = provider.answeredByMock();
    const seenDirectly = await outcomes(program, direct.url, prefix, project.key);
    await allHaveLeft();
    const directCalls = direct.take();
    far.take();
    const answeredDirectly = provider.answeredByMock() - before;
    const seen = await outcomes(program, proxied.url, prefix, project.key);
    await allHaveLeft();
    const near = proxied.take();
    const behind = far.take();

    // The program: what was returned, what was raised.
    expect(seen.map(({ scenario }) => scenario)).toEqual(Object.keys(expected));
    for (const [index, outcome] of seen.entries()) {
      const answered = PROXY_ANSWERS[outcome.scenario];
      if (answered === undefined) expect(withoutFieldsOfOurs(withoutEmptyUsage(outcome))).toEqual(withoutFieldsOfOurs(seenDirectly[index]));
      else expect(outcome.raised, outcome.scenario).toMatchObject({ status: answered });
    }

    // The provider's own journal, though it knows less than the wire.
    expect(provider.answeredByMock() - before).toBe(2 * answeredDirectly);

    // The wire: every byte between client and provider, in both directions.
    expect(behind.map(scenarioOf)).toEqual(near.map(scenarioOf));
    expect(directCalls.map(scenarioOf)).toEqual(near.map(scenarioOf));
    for (const [index, call] of near.entries()) {
      const atProvider = behind[index] as Exchange;
      const onlyOurs = atProvider.request.headers.filter(([name]) => /^x-(plumbline|llmtrace)-/i.test(name));
      expect(onlyOurs, scenarioOf(call)).toEqual([]);
      if (scenarioOf(call) in PROXY_ANSWERS) continue;
      expect(changes(call, atProvider), scenarioOf(call)).toEqual([]);
      expect(essence(call, weMayAsk(scenarioOf(call))), scenarioOf(call)).toEqual(essence(directCalls[index] as Exchange));
    }

    // The record.
    for (const [scenario, steps] of Object.entries(expected)) {
      if (steps.length === 0) continue;
      const { run, steps: found } = await stored(`${prefix}${scenario}`, steps.length);
      expect(run, scenario).toMatchObject({ session_id: `${prefix}session`, user_id: 'u-1' });
      const inOrder = [...found].sort((a, b) => String(a.started_at).localeCompare(String(b.started_at)));
      for (const [index, step] of steps.entries()) {
        expect(inOrder[index], scenario).toMatchObject({ name: scenario, key: 'e2e', ...step });
        if (step.status === 'error') expect(inOrder[index]?.error, scenario).toBeTruthy();
        if (STREAMS.test(scenario)) expect(inOrder[index]?.ttft_ms, scenario).toBeGreaterThan(0);
      }
    }
    // No more than that: what is only passed on is no step.
    const all = Object.values(expected).flat().length;
    expect(await storedSteps(request, server.url, project.key)).toBe(all);
  });
}
