// Whether anything but what may differ was changed between a client and its provider.

import { header, type Exchange, type Message } from './http';

/** Header fields that concern one connection and not the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** Names whom the client asks: the proxy on one side, the provider on the other. */
const WHOM = ['host'];
/** Ours: read by the proxy, of no concern to the provider. */
const OURS = /^x-(plumbline|llmtrace)-/;

/** What keeps an answer that is opened in a browser from acting as a page of the server: added to each. */
const ADDED_TO_ANSWERS = ['content-security-policy', 'x-content-type-options'];
/** What speaks of the provider's host, and would be taken to speak of the server. */
const ABOUT_THE_HOST = [
  'alt-svc',
  'clear-site-data',
  'nel',
  'origin-agent-cluster',
  'report-to',
  'reporting-endpoints',
  'service-worker-allowed',
  'strict-transport-security',
];

/** Fields of answers that are not as the provider sent them: docs/proxy.md says why. */
const OF_ANSWERS = [...ADDED_TO_ANSWERS, ...ABOUT_THE_HOST];

/** What a program printed, without those among the header fields, which it prints as pairs of name and value. */
export function withoutFieldsOfOurs(printed: unknown): unknown {
  if (Array.isArray(printed)) {
    const isOurs = (item: unknown) => Array.isArray(item) && item.length === 2 && OF_ANSWERS.includes(String(item[0]).toLowerCase());
    return printed.filter((item) => !isOurs(item)).map(withoutFieldsOfOurs);
  }
  if (printed === null || typeof printed !== 'object') return printed;
  return Object.fromEntries(Object.entries(printed).map(([name, value]) => [name, withoutFieldsOfOurs(value)]));
}

const mayDiffer = (name: string) => HOP_BY_HOP.includes(name) || WHOM.includes(name) || OURS.test(name);

/** Fields that have to arrive, in an order that says nothing across names and keeps values of one name in theirs. */
function endToEnd(message: Message, without: readonly string[] = []): string[] {
  return message.headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !mayDiffer(name) && !without.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}: ${value}`);
}

/** `POST /v1/messages`: the version of HTTP belongs to the connection. */
const asked = (message: Message) => message.start.replace(/ HTTP\/1\.[01]$/, '');
/** The code alone: the phrase behind it has no meaning (RFC 9112, 4). */
export const status = (message: Message) => Number(message.start.split(' ')[1]);

/** The one thing we add: OpenAI's streams carry usage only when asked, so we ask where the caller did not. */
function weAskedForUsage(client: Message, provider: Message): boolean {
  if (!/ \/v1\/(chat\/)?completions/.test(client.start) || client.body.equals(provider.body)) return false;
  const { stream_options: options, ...rest } = JSON.parse(provider.body.toString()) as Record<string, unknown>;
  const before = JSON.parse(client.body.toString()) as Record<string, unknown>;
  const only = (options as Record<string, unknown> | undefined)?.include_usage === true && Object.keys(options as object).length === 1;
  return only && before.stream === true && !('stream_options' in before) && JSON.stringify(before) === JSON.stringify(rest);
}

/** `longer` is `shorter` with one chunk inserted: every other byte is as it was. */
function onePieceAdded(shorter: Buffer, longer: Buffer): boolean {
  let same = 0;
  while (same < shorter.length && shorter[same] === longer[same]) same += 1;
  return shorter.subarray(same).equals(longer.subarray(longer.length - (shorter.length - same)));
}

/** The stream without the chunk that has usage and no choices. */
function withoutUsageChunk(body: Buffer): Buffer {
  const events = body.toString('latin1').split(/(?<=\n\n)/);
  return Buffer.from(events.filter((event) => !/"choices":\s*\[\],"usage":\s*\{/.test(event)).join(''), 'latin1');
}

/** What the way changed: `near` as the client sent and got it, `far` as the provider got and sent it. */
export function changes(near: Exchange, far: Exchange): string[] {
  const found: string[] = [];
  const same = (what: string, before: unknown, after: unknown) => {
    if (JSON.stringify(before) !== JSON.stringify(after)) found.push(`${what}: ${shortly(before)} became ${shortly(after)}`);
  };

  const ourQuestion = weAskedForUsage(near.request, far.request);
  // Then the request is longer, and its answer has to come uncompressed, so that the extra chunk can be taken out.
  const without = ourQuestion ? ['content-length', 'accept-encoding'] : [];
  same('request', asked(near.request), asked(far.request));
  same('request headers', endToEnd(near.request, without), endToEnd(far.request, without));
  const body = ourQuestion ? onePieceAdded(near.request.body, far.request.body) : near.request.body.equals(far.request.body);
  if (!body) found.push(`request body: ${shortly(near.request.body)} became ${shortly(far.request.body)}`);

  if (far.response === undefined || near.response === undefined) {
    same('answered', far.response !== undefined, near.response !== undefined);
    return found;
  }
  same('status', status(far.response), status(near.response));
  same('response headers', endToEnd(far.response, OF_ANSWERS), endToEnd(near.response, OF_ANSWERS));
  const sent = ourQuestion ? withoutUsageChunk(far.response.body) : far.response.body;
  const got = near.response.body;
  // A client that left did not wait for the rest.
  const arrived = near.response.complete || far.response.complete ? got.equals(sent) : sent.subarray(0, got.length).equals(got);
  if (!arrived) found.push(`response body: ${shortly(sent)} became ${shortly(got)}`);
  same('response complete', far.response.complete, near.response.complete);
  return found;
}

/**
 * What the provider saw and what the client got, fit to be compared with another call of the same scenario. A stream
 * that we asked for usage has an empty one in each chunk.
 */
export function essence(exchange: Exchange, withoutEmptyUsage = false): Record<string, unknown> {
  const { request, response } = exchange;
  return {
    request: asked(request),
    // These differ where we ask for usage; `changes` looks at them.
    requestHeaders: endToEnd(request, ['content-length', 'accept-encoding']),
    ...(response && {
      status: status(response),
      // The time of the answer, and nothing else, is another one.
      responseHeaders: endToEnd(response, ['date', ...OF_ANSWERS]),
      // Only what came whole: where a client leaves, chance decides how much was under way.
      ...(response.complete && {
        responseBody: withoutMintedIds(response).replaceAll(withoutEmptyUsage ? ',"usage":null}' : '\0', '}'),
      }),
    }),
  };
}

/** aimock makes up an id for each item of a response. */
function withoutMintedIds(response: Message): string {
  if (header(response, 'content-encoding') !== undefined) return response.body.toString('base64');
  return response.body.toString().replace(/\b(msg|fc|rs|call|resp|chatcmpl)[_-][\w-]{14,}/g, '$1-minted');
}

function shortly(value: unknown): string {
  const text = Buffer.isBuffer(value) ? value.toString() : (JSON.stringify(value) ?? 'nothing');
  return text.length > 1_500 ? `${text.slice(0, 700)} … ${text.slice(-700)} (${text.length})` : text;
}
