// How a program reports what its client got to see, so that two ways to the provider can be compared.

const environment = (name) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};

export const BASE_URL = environment('CLIENT_BASE_URL');
const RUN_PREFIX = environment('CLIENT_RUN_PREFIX');
const PLUMBLINE_KEY = environment('CLIENT_PLUMBLINE_KEY');

/** With `CLIENT_SDK`, the calls are recorded by our SDK instead of the proxy. */
const { Tracer } = process.env.CLIENT_SDK ? await import('@plumbline/sdk') : {};
const tracer = Tracer && new Tracer({ apiUrl: process.env.CLIENT_SDK, apiKey: PLUMBLINE_KEY });

/** The client that the program calls: of `wrapAnthropic` or `wrapOpenAI`, or as it is. */
export const wrapped = (method, client, options) => (tracer ? tracer[method](client, options) : client);

/** What names a call for the SDK. */
export const named = (stepName) => (tracer ? { _trace: { stepName } } : {});

/** Not the provider's words but the connection's, and the time. */
export const ofTheConnection = ['connection', 'keep-alive', 'transfer-encoding', 'date'];

/** What a user adds to a call, and the word by which the provider chooses its answer. */
export const callHeaders = (scenario) => ({
  'x-scenario': scenario,
  'x-request-id': `caller-${scenario}`,
  'X-Plumbline-Key': PLUMBLINE_KEY,
  'X-Plumbline-Run': `${RUN_PREFIX}${scenario}`,
  'X-Plumbline-Step': scenario,
  'X-Plumbline-Session': `${RUN_PREFIX}session`,
  'X-Plumbline-User': 'u-1',
});

/** An exception as its catcher can tell it from others. */
function raised(error) {
  const classes = [];
  for (let kind = error.constructor; kind?.name; kind = Object.getPrototypeOf(kind)) classes.push(kind.name);
  return {
    class: classes,
    message: error.message,
    status: error.status,
    body: error.error,
    code: error.code,
    type: error.type,
    request_id: error.requestID,
    retry_after: error.headers?.get?.('retry-after'),
  };
}

export async function runAll(scenarios) {
  for (const [scenario, call] of Object.entries(scenarios)) {
    const labels = { runId: `${RUN_PREFIX}${scenario}`, sessionId: `${RUN_PREFIX}session`, userId: 'u-1' };
    let outcome;
    try {
      outcome = { returned: await (tracer ? tracer.run(labels).within(() => call(scenario)) : call(scenario)) };
    } catch (error) {
      outcome = { raised: raised(error) };
    }
    console.log(JSON.stringify({ scenario, ...outcome }));
  }
  // A debug build may need longer for what is large than the end of a process would wait.
  await tracer?.shutdown({ timeoutMs: 30_000 });
}

export async function collect(events, pick = (event) => event) {
  const found = [];
  for await (const event of events) found.push(pick(event));
  return found;
}
