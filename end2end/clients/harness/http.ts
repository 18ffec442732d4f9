// HTTP/1.1 messages as they were on the wire, read from recorded bytes.

export interface Message {
  /** `POST /v1/messages HTTP/1.1`, `HTTP/1.1 200 OK`. */
  readonly start: string;
  /** In their order, names as they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without the framing of chunks, still compressed. */
  readonly body: Buffer;
  /** False when the bytes ended before the message did. */
  readonly complete: boolean;
}

export interface Exchange {
  readonly request: Message;
  /** Absent when the connection ended without an answer. */
  readonly response: Message | undefined;
}

export function header(message: Message, name: string): string | undefined {
  return message.headers.find(([found]) => found.toLowerCase() === name)?.[1];
}

/** A message, and where the next one begins. */
interface Read {
  message: Message;
  next: number;
}

const BLANK_LINE = Buffer.from('\r\n\r\n');

/** Reads the message that begins at `from`; `undefined` when not even its head is complete. */
export function readMessage(bytes: Buffer, from: number, bodyless = false): Read | undefined {
  const headEnd = bytes.indexOf(BLANK_LINE, from);
  if (headEnd < 0) return undefined;
  const [start = '', ...lines] = bytes.toString('latin1', from, headEnd).split('\r\n');
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const head = { start, headers, body: Buffer.alloc(0), complete: true };
  const bodyFrom = headEnd + BLANK_LINE.length;
  if (bodyless) return { message: head, next: bodyFrom };

  if (header(head, 'transfer-encoding')?.toLowerCase() === 'chunked') {
    const { body, next, complete } = readChunks(bytes, bodyFrom);
    return { message: { ...head, body, complete }, next };
  }
  const length = header(head, 'content-length');
  const isAnswer = start.startsWith('HTTP/');
  const wanted = length !== undefined ? Number(length) : isAnswer ? bytes.length - bodyFrom : 0;
  const body = bytes.subarray(bodyFrom, bodyFrom + wanted);
  return { message: { ...head, body, complete: body.length === wanted }, next: bodyFrom + body.length };
}

function readChunks(bytes: Buffer, from: number): { body: Buffer; next: number; complete: boolean } {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) break;
    const size = parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const dataFrom = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(parts), next: dataFrom + 2, complete: true };
    parts.push(bytes.subarray(dataFrom, dataFrom + size));
    at = dataFrom + size + 2;
    if (at > bytes.length) break;
  }
  return { body: Buffer.concat(parts), next: bytes.length, complete: false };
}
