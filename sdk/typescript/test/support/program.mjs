// A program for any runtime: a wrapped client, a stream, nested functions, and steps that wait when it ends. Arguments:
// where to send, and which entry of the package to use.

const [url, entry = '@plumbline/sdk', without] = (globalThis.Deno?.args ?? process.argv.slice(2));
if (without === 'without-node') delete globalThis.process;
const { Tracer, observe } = await import(entry);
const tracer = new Tracer({ apiUrl: url, flushIntervalMs: 10 });

const events = ['message_start', 'message_stop'].map((type) => ({ type, message: { model: 'm', usage: { input_tokens: 1 } } }));
/** As far as a wrapper looks, a client. */
const client = {
  messages: {},
  post: async (_, { body }) => (body.stream ? { async *[Symbol.asyncIterator]() { yield* events; } } : { model: 'm', content: [{ type: 'text', text: 'Hi.' }] }),
};
client.messages._client = client;
client.messages.create = function create(body) {
  return this._client.post('/v1/messages', { body });
};
const wrapped = tracer.wrapAnthropic(client);

const inner = observe(async () => {
  await wrapped.messages.create({ model: 'm', messages: [], _trace: { stepName: 'call' } });
  for await (const event of await wrapped.messages.create({ model: 'm', messages: [], stream: true, _trace: { stepName: 'stream' } })) void event;
}, { name: 'inner' });
await observe(inner, { name: 'outer' })();
await tracer.flush();
console.log(JSON.stringify(tracer.stats));
