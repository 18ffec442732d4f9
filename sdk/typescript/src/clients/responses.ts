// OpenAI's Responses.

import { list, loose, object, word, type CallReader, type Loose, type Reading, type StreamReader } from './api.js';

export const responses: CallReader = {
  kind: 'llm',
  whole: (answer) => describe(loose(answer)),
  stream: () => new ResponseReader(),
};

function describe(response: Loose): Reading {
  const error = loose(response['error']);
  const message = word(error['message']);
  return {
    model: word(response['model']),
    responseId: word(response['id']),
    serviceTier: word(response['service_tier']),
    usage: object(response['usage']),
    stopReason: word(loose(response['incomplete_details'])['reason']) ?? word(response['status']),
    output: outputOf(list(response['output'])),
    error: message === undefined ? undefined : { class: word(error['code']), message },
  };
}

/**
 * The text where there is nothing else; otherwise one message with the text, the calls of functions as Chat Completions
 * has them, and every other item as it came.
 */
function outputOf(items: readonly unknown[]): string | undefined {
  let text = '';
  let refusal: unknown;
  const calls: object[] = [];
  const others: unknown[] = [];
  for (const each of items) {
    const item = loose(each);
    if (item['type'] === 'message') {
      for (const part of list(item['content'])) {
        text += word(loose(part)['text']) ?? '';
        refusal ??= loose(part)['refusal'];
      }
    } else if (item['type'] === 'function_call') {
      calls.push({ id: item['call_id'], type: 'function', function: { name: item['name'], arguments: item['arguments'] } });
    } else if (item['type'] !== 'reasoning' || list(item['summary']).length > 0) {
      others.push(each);
    }
  }
  if (calls.length === 0 && others.length === 0 && refusal === undefined) return text === '' ? undefined : text;
  return JSON.stringify({
    role: 'assistant',
    content: text === '' ? null : text,
    ...(refusal === undefined ? {} : { refusal }),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(others.length > 0 ? { items: others } : {}),
  });
}

class ResponseReader implements StreamReader {
  isComplete = false;
  #reading: Reading = {};
  /** The items as far as they have come, for a stream that ends before it says them all together. */
  readonly #items = new Map<number, { shell: Loose; text: string[]; arguments: string[] }>();

  event(given: unknown): boolean {
    const event = loose(given);
    switch (event['type']) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        this.#reading = describe(loose(event['response']));
        return false;
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#reading = describe(loose(event['response']));
        this.isComplete = true;
        return false;
      case 'response.output_item.added':
      case 'response.output_item.done':
        this.#item(event).shell = loose(event['item']);
        return false;
      case 'response.output_text.delta':
        this.#item(event).text.push(String(event['delta'] ?? ''));
        return true;
      case 'response.function_call_arguments.delta':
        this.#item(event).arguments.push(String(event['delta'] ?? ''));
        return true;
      case 'response.reasoning_summary_text.delta':
      case 'response.refusal.delta':
        return true;
      case 'error':
        this.#reading.error = { class: word(event['code']), message: word(event['message']) ?? 'error' };
        this.isComplete = true;
        return false;
      default:
        return false;
    }
  }

  #item(event: Loose): { shell: Loose; text: string[]; arguments: string[] } {
    const index = Number(event['output_index'] ?? 0);
    let item = this.#items.get(index);
    if (item === undefined) this.#items.set(index, (item = { shell: {}, text: [], arguments: [] }));
    return item;
  }

  finish(): Reading {
    if (this.isComplete && this.#reading.output !== undefined) return this.#reading;
    const items = [...this.#items.values()].map(({ shell, text, arguments: pieces }) => {
      if (text.length > 0) return { type: 'message', content: [{ type: 'output_text', text: text.join('') }] };
      return pieces.length > 0 ? { ...shell, arguments: pieces.join('') } : shell;
    });
    return { ...this.#reading, output: outputOf(items) };
  }
}
