// OpenAI and services that speak like it.

import { loose, type Api, type Body } from './api.js';
import { chat, completions } from './chat.js';
import { embeddings } from './embeddings.js';
import { responses } from './responses.js';

export interface OpenAiOptions {
  /** Default: by the host of the client's `baseURL`, otherwise `openai`. */
  provider?: string;
  /**
   * Whether streams are asked for usage, which OpenAI leaves out otherwise. The chunk that comes for it is not shown to a
   * caller who did not ask. Default: yes, except at hosts that are known to refuse the question; one that refuses it is
   * asked again without, and never again.
   */
  streamUsage?: boolean;
}

/** Host, its name as a provider, and whether its streams can be asked for usage. */
const HOSTS: readonly (readonly [string, string, boolean])[] = [
  ['openai.azure.com', 'azure.ai.openai', true],
  ['openai.com', 'openai', true],
  ['deepseek.com', 'deepseek', true],
  ['groq.com', 'groq', true],
  ['mistral.ai', 'mistral_ai', false],
  ['openrouter.ai', 'openrouter', true],
  ['perplexity.ai', 'perplexity', false],
  ['together.xyz', 'together', true],
  ['x.ai', 'x_ai', true],
];

const readers = {
  '/chat/completions': chat,
  '/completions': completions,
  '/responses': responses,
  '/embeddings': embeddings,
};

export function openai(client: unknown, options: OpenAiOptions): Api {
  const host = hostOf((client as { baseURL?: unknown }).baseURL);
  const known = HOSTS.find(([name]) => host === name || host.endsWith(`.${name}`));
  let asksForUsage = options.streamUsage ?? known?.[2] ?? true;
  return {
    provider: options.provider ?? known?.[1] ?? 'openai',
    readers,
    leading: new Set(['chat', 'completions', 'responses', 'embeddings', 'beta']),
    prepare: (path, body) => {
      const asks = asksForUsage && streamsWithoutUsage(path, body);
      return {
        body: asks ? { ...body, stream_options: { ...(body['stream_options'] as object | undefined), include_usage: true } } : body,
        asked: { usage: asks },
      };
    },
    refuses: (error) => {
      const { status, message } = loose(error);
      const isRefusal = (status === 400 || status === 422) && /stream_options|include_usage/.test(String(message));
      if (isRefusal) asksForUsage = false;
      return isRefusal;
    },
  };
}

function streamsWithoutUsage(path: string, body: Body): boolean {
  const options = body['stream_options'] as { include_usage?: unknown } | null | undefined;
  return (path === '/chat/completions' || path === '/completions') && body['stream'] === true && options?.include_usage === undefined;
}

function hostOf(url: unknown): string {
  try {
    return new URL(String(url)).hostname;
  } catch {
    return '';
  }
}
