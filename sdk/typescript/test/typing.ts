// Compiled and never run: a wrapped client keeps its own types, and takes `_trace` beside them.

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { observe, Tracer, type TracedMessageParams } from '@plumbline/sdk';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._: Equal<A, B> extends true ? [] : [never]): void {}

const tracer = new Tracer({ apiKey: 'pl_live_…' });
const anthropic = tracer.wrapAnthropic(new Anthropic());
const question = { model: 'claude-haiku-4-5', max_tokens: 16, messages: [{ role: 'user' as const, content: 'Hello!' }] };

export async function messages(): Promise<void> {
  // It can be handed to whatever expects a client.
  const client: Anthropic = anthropic;
  void client;

  const whole = anthropic.messages.create(question);
  void (await whole.withResponse()).response.status;
  const message: Anthropic.Message = await whole;
  void message;
  const named: Anthropic.Message = await anthropic.messages.create({ ...question, _trace: { stepName: 'classify' } });
  void named;
  const cast = await anthropic.messages.create({ ...question, _trace: { stepName: 'classify' } } as TracedMessageParams);
  void cast.content;
  for await (const event of await anthropic.messages.create({ ...question, stream: true, _trace: { stepName: 'story' } })) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') void event.delta.text;
  }
  const stream = anthropic.messages.stream({ ...question, _trace: { stepName: 'story' } });
  void (await stream.finalMessage()).usage.output_tokens;
  const beta = await anthropic.beta.messages.create({ ...question, betas: [], _trace: { stepName: 'beta' } });
  void beta.content;

  // @ts-expect-error a step's name is a string
  await anthropic.messages.create({ ...question, _trace: { stepName: 4 } });
  // @ts-expect-error the client's own mistakes stay mistakes
  await anthropic.messages.create({ model: 'claude-haiku-4-5', messages: [] });
  // @ts-expect-error and so do those beside `_trace`
  await anthropic.messages.create({ ...question, max_tokens: 'many', _trace: {} });
}

export async function runs(): Promise<void> {
  const run = anthropic.run({ sessionId: 'chat-1' });
  const id: string = run.runId;
  void id;
  const answer = await run.step('plan', async (step) => {
    step.set({ tags: ['slow'] });
    return run.messages.create({ ...question, _trace: { stepName: 'plan' } });
  });
  void answer.content;
}

export async function openai(): Promise<void> {
  const client = tracer.wrapOpenAI(new OpenAI());
  const asks: OpenAI = client;
  void asks;
  const chat = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'Hello!' }] };
  const answer: OpenAI.ChatCompletion = await client.chat.completions.create({ ...chat, _trace: { stepName: 'answer' } });
  void answer;
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true, _trace: { stepName: 'answer' } })) {
    void chunk.choices[0]?.delta.content;
  }
  const response = await client.responses.create({ model: 'gpt-4o-mini', input: 'Hello!', _trace: { stepName: 'answer' } });
  void response.output_text;
  const { data } = await client.embeddings.create({ model: 'text-embedding-3-small', input: 'Hello!', _trace: { stepName: 'embed' } });
  void data[0]?.embedding[0];
  void client.files.list();
  void client.run().chat.completions.create(chat);
}

export function functions(): void {
  const add = observe((a: number, b: number) => a + b, { name: 'add', kind: 'tool' });
  same<typeof add, (a: number, b: number) => number>();
  const texts = tracer.observe(async function* (n: number) {
    yield String(n);
  });
  same<ReturnType<typeof texts>, AsyncGenerator<string, void, unknown>>();
}
