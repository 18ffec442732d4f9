// Anthropic's Messages.

import { list, loose, object, word, type Api, type CallReader, type Loose, type Reading, type StreamReader } from './api.js';

const messages: CallReader = {
  kind: 'llm',
  whole: (answer) => ({ ...describe(loose(answer)), output: outputOf(list(loose(answer)['content'])) }),
  stream: () => new MessageReader(),
};

export const anthropic: Api = {
  provider: 'anthropic',
  readers: { '/v1/messages': messages },
  leading: new Set(['messages', 'beta']),
};

function describe(message: Loose): Reading {
  return {
    model: word(message['model']),
    responseId: word(message['id']),
    stopReason: word(message['stop_reason']),
    usage: object(message['usage']),
  };
}

/** The text of blocks that are nothing else, otherwise the message. */
function outputOf(blocks: readonly unknown[]): string | undefined {
  if (blocks.length === 0) return undefined;
  const texts = blocks.map((block) => (loose(block)['type'] === 'text' ? String(loose(block)['text'] ?? '') : undefined));
  return texts.includes(undefined) ? JSON.stringify({ role: 'assistant', content: blocks }) : texts.join('');
}

/** Which field of a block a delta adds to. */
const GROWING: Readonly<Record<string, string>> = {
  text_delta: 'text',
  thinking_delta: 'thinking',
  signature_delta: 'signature',
  input_json_delta: 'partial_json',
};

class MessageReader implements StreamReader {
  isComplete = false;
  #reading: Reading = {};
  #usage: Record<string, unknown> = {};
  readonly #blocks = new Map<number, Record<string, unknown>>();
  /** What grows is collected apart: joining once costs less than at each delta. */
  readonly #grown = new Map<number, Record<string, string[]>>();

  event(given: unknown): boolean {
    const event = loose(given);
    const index = Number(event['index']);
    switch (event['type']) {
      case 'message_start': {
        const message = loose(event['message']);
        this.#reading = describe(message);
        this.#use(message['usage']);
        return false;
      }
      case 'content_block_start': {
        const block = { ...loose(event['content_block']) };
        this.#blocks.set(index, block);
        this.#grown.set(index, {});
        return block['type'] !== 'text' && block['type'] !== 'thinking';
      }
      case 'content_block_delta': {
        return this.#grow(index, loose(event['delta']));
      }
      case 'message_delta': {
        const stopReason = word(loose(event['delta'])['stop_reason']);
        if (stopReason !== undefined) this.#reading.stopReason = stopReason;
        this.#use(event['usage']);
        return false;
      }
      case 'message_stop':
        this.isComplete = true;
        return false;
      default:
        return false;
    }
  }

  /** Counts are cumulative, and what a later event leaves out stays as it was. */
  #use(usage: unknown): void {
    for (const [name, value] of Object.entries(loose(usage))) {
      if (value !== null && value !== undefined) this.#usage[name] = value;
    }
  }

  #grow(index: number, delta: Loose): boolean {
    const grown = this.#grown.get(index);
    const block = this.#blocks.get(index);
    if (grown === undefined || block === undefined) return false;
    if (delta['type'] === 'citations_delta') {
      block['citations'] = [...list(block['citations']), delta['citation']];
      return false;
    }
    const field = GROWING[String(delta['type'])];
    const text = field === undefined ? undefined : delta[field];
    if (field === undefined || typeof text !== 'string') return false;
    (grown[field] ??= []).push(text);
    return field !== 'signature' && text !== '';
  }

  finish(): Reading {
    const blocks = [...this.#blocks].map(([index, block]) => {
      const { partial_json: input, ...texts } = this.#grown.get(index) ?? {};
      const whole: Record<string, unknown> = { ...block };
      for (const [field, parts] of Object.entries(texts)) whole[field] = `${String(block[field] ?? '')}${parts.join('')}`;
      if (input !== undefined) whole['input'] = parsed(input.join(''));
      return whole;
    });
    return { ...this.#reading, usage: Object.keys(this.#usage).length > 0 ? this.#usage : undefined, output: outputOf(blocks) };
  }
}

/** A stream that was left holds half an object; what there is of it is worth seeing. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
