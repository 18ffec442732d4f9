// A Worker: the tracer is made once, where nothing may be asked or waited for, and each request gives its steps to
// `waitUntil`.

import { Tracer, observe } from '@plumbline/sdk';

const tracer = new Tracer({ apiUrl: 'https://plumbline.example.com' });

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
const outer = observe(inner, { name: 'outer' });

export default {
  async fetch(request, _, context) {
    const { searchParams } = new URL(request.url);
    await outer();
    const sent = tracer.flush({ timeoutMs: Number(searchParams.get('patience') ?? 10_000) });
    context.waitUntil(sent);
    if (searchParams.has('waits')) await sent;
    return Response.json(tracer.stats);
  },
};
