// How an API of a provider is read.

/** What an answer says, whole or streamed. */
export interface Reading {
  model?: string | undefined;
  responseId?: string | undefined;
  /** Text, or the message as JSON where it is more than text. */
  output?: string | undefined;
  /** The provider's own object, merged where a stream says it in parts. */
  usage?: object | undefined;
  stopReason?: string | undefined;
  serviceTier?: string | undefined;
  /** An error that comes inside of an answer. */
  error?: { class?: string | undefined; message: string } | undefined;
}

/** Follows a stream. */
export interface StreamReader {
  /** Says whether the event holds something of the answer itself. */
  event(event: unknown): boolean;
  /** Whether the event is there because we asked for it, and the caller did not. */
  isOurs?(event: unknown): boolean;
  /** Whether the last event has come. */
  readonly isComplete: boolean;
  finish(): Reading;
}

export interface CallReader {
  readonly kind: 'llm' | 'embedding';
  /** Reads an answer that came whole. */
  whole(answer: unknown): Reading;
  stream(asked: AskedFor): StreamReader;
}

/** What a request asks for beyond what its caller did. */
export interface AskedFor {
  readonly usage: boolean;
}

export interface Api {
  readonly provider: string;
  /** By the path of a request, without its query; other paths are not recorded. */
  readonly readers: Readonly<Record<string, CallReader>>;
  /** Members of the client, and of its members, that lead to these calls. */
  readonly leading: ReadonlySet<string>;
  /** The body to send: the caller's, or a copy that asks for more. */
  prepare?(path: string, body: Body): { body: Body; asked: AskedFor };
  /** Whether an error is because of what we asked for beyond that; then it is not asked for again. */
  refuses?(error: unknown): boolean;
}

export type Body = Record<string, unknown>;

/** A JSON value of which nothing is known; reading a field of anything else gives `undefined`. */
export type Loose = { readonly [field: string]: unknown };

export function loose(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function word(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function object(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}
