// OpenAI's Chat Completions, and the Completions before them.

import { list, loose, object, word, type AskedFor, type CallReader, type Loose, type Reading, type StreamReader } from './api.js';

export const chat: CallReader = {
  kind: 'llm',
  whole: (answer) => ({
    ...describe(loose(answer)),
    stopReason: word(loose(list(loose(answer)['choices'])[0])['finish_reason']),
    output: outputOf(list(loose(answer)['choices']).map((choice) => ({ ...loose(loose(choice)['message']) }))),
  }),
  stream: (asked) => new ChatReader(asked),
};

export const completions: CallReader = {
  kind: 'llm',
  whole: (answer) => ({
    ...describe(loose(answer)),
    stopReason: word(loose(list(loose(answer)['choices'])[0])['finish_reason']),
    output: list(loose(answer)['choices']).map((choice) => String(loose(choice)['text'] ?? '')).join('\n'),
  }),
  stream: (asked) => new ChatReader(asked),
};

function describe(answer: Loose): Reading {
  return {
    model: word(answer['model']),
    responseId: word(answer['id']),
    serviceTier: word(answer['service_tier']),
    usage: object(answer['usage']),
  };
}

/** The text of one message that is nothing else; otherwise the message, or the messages where there are several. */
function outputOf(messages: Record<string, unknown>[]): string | undefined {
  const cleaned = messages.map((message) => {
    const said = Object.entries(message).filter(([, value]) => value !== null && value !== undefined && value !== '' && !isEmptyList(value));
    return { role: 'assistant', content: null, ...Object.fromEntries(said) } as Record<string, unknown>;
  });
  const [first] = cleaned;
  if (first === undefined) return undefined;
  if (cleaned.length > 1) return JSON.stringify(cleaned);
  if (Object.keys(first).length > 2) return JSON.stringify(first);
  const { content } = first;
  return content === null ? undefined : typeof content === 'string' ? content : JSON.stringify(first);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

interface Choice {
  /** What grows by pieces of text: content, refusal, what others call reasoning. */
  texts: Record<string, string[]>;
  calls: Call[];
}

interface Call {
  index: unknown;
  id?: string;
  type?: string;
  name: string;
  arguments: string[];
}

class ChatReader implements StreamReader {
  readonly #asked: AskedFor;
  #reading: Reading = {};
  readonly #choices = new Map<number, Choice>();

  constructor(asked: AskedFor) {
    this.#asked = asked;
  }

  /** The client swallows `[DONE]`; a choice that has finished says the same. */
  get isComplete(): boolean {
    return this.#reading.stopReason !== undefined;
  }

  isOurs(chunk: unknown): boolean {
    return this.#asked.usage && list(loose(chunk)['choices']).length === 0 && object(loose(chunk)['usage']) !== undefined;
  }

  event(given: unknown): boolean {
    const chunk = loose(given);
    for (const [name, value] of Object.entries(describe(chunk)) as [keyof Reading, never][]) {
      if (value !== undefined) this.#reading[name] = value;
    }
    let hasContent = false;
    for (const each of list(chunk['choices'])) {
      const choice = loose(each);
      const index = Number(choice['index'] ?? 0);
      const finish = word(choice['finish_reason']);
      if (index === 0 && finish !== undefined) this.#reading.stopReason = finish;
      const delta = typeof choice['text'] === 'string' ? { content: choice['text'] } : loose(choice['delta']);
      hasContent = this.#grow(index, delta) || hasContent;
    }
    return hasContent;
  }

  #grow(index: number, delta: Loose): boolean {
    let choice = this.#choices.get(index);
    if (choice === undefined) this.#choices.set(index, (choice = { texts: {}, calls: [] }));
    let hasContent = false;
    for (const [field, value] of Object.entries(delta)) {
      if (value === null || field === 'role' || field === 'obfuscation') continue;
      if (field === 'tool_calls') {
        for (const call of list(value)) hasContent = growCall(choice, loose(call)) || hasContent;
      } else if (field === 'function_call') {
        hasContent = growCall(choice, { function: value }) || hasContent;
      } else if (field === 'content' && typeof value === 'object') {
        hasContent = growParts(choice, value) || hasContent;
      } else if (typeof value === 'string' && value !== '') {
        (choice.texts[field] ??= []).push(value);
        hasContent = true;
      }
    }
    return hasContent;
  }

  finish(): Reading {
    const messages = [...this.#choices.values()].map(({ texts, calls }) => ({
      ...Object.fromEntries(Object.entries(texts).map(([field, parts]) => [field, parts.join('')])),
      tool_calls: calls.map(({ id, type, name, arguments: parts }) => ({
        id,
        type: type ?? 'function',
        function: { name, arguments: parts.join('') },
      })),
    }));
    return { ...this.#reading, output: outputOf(messages) };
  }
}

/** Several calls may share a place: an id of its own makes a call. */
function placeOf(choice: Choice, index: unknown, id: string | undefined): Call {
  const backwards = [...choice.calls].reverse();
  const same = id === undefined ? undefined : backwards.find((call) => call.id === id);
  if (same !== undefined) return same;
  const last = backwards.find((call) => index === undefined || call.index === index);
  if (last !== undefined && (id === undefined || last.id === undefined)) return last;
  const call: Call = { index, name: '', arguments: [] };
  choice.calls.push(call);
  return call;
}

/** Content as parts, as Mistral's models that think have it. */
function growParts(choice: Choice, parts: unknown): boolean {
  let hasContent = false;
  for (const part of Array.isArray(parts) ? parts : [parts]) {
    const thought = ['thinking', 'reasoning'].includes(String(loose(part)['type']));
    for (const text of textsOf(part)) {
      (choice.texts[thought ? 'reasoning_content' : 'content'] ??= []).push(text);
      hasContent = true;
    }
  }
  return hasContent;
}

function textsOf(part: unknown): string[] {
  if (typeof part === 'string') return part === '' ? [] : [part];
  if (Array.isArray(part)) return part.flatMap(textsOf);
  const { text, content, thinking } = loose(part);
  const inner = text ?? content ?? thinking;
  return inner === undefined || inner === null ? [] : textsOf(inner);
}

function growCall(choice: Choice, call: Loose): boolean {
  const id = word(call['id']);
  const known = placeOf(choice, call['index'], id);
  const type = word(call['type']);
  if (id !== undefined) known.id = id;
  if (type !== undefined) known.type = type;
  const { name, arguments: piece } = loose(call['function']);
  // Some say the name again in every chunk.
  if (typeof name === 'string' && !(known.arguments.length > 0 && name === known.name)) known.name += name;
  if (typeof piece === 'string') known.arguments.push(piece);
  return Boolean(name) || Boolean(piece);
}
