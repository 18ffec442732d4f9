// Values as text, taken at once, because callers change their objects afterwards. Bounded, whatever they are.

const MAX_DEPTH = 8;
const MAX_ITEMS = 200;
const MAX_VALUES = 5_000;
const MAX_TEXT = 64 * 1024;
/** From here on it is worth looking for files in a request. */
const LARGE_REQUEST = 256 * 1024;
const MAX_REQUEST = 8 * 1024 * 1024;
/** Longer text without a blank that consists of base64 alone is a file. */
const MIN_FILE = 16 * 1024;
const UNREADABLE = '[unreadable]';

/** The body of a request to a provider as JSON. Files in it (base64) are named, not kept. */
export function requestText(body: unknown): string {
  try {
    const text = JSON.stringify(body) ?? '';
    return text.length <= LARGE_REQUEST ? text : cut(JSON.stringify(body, withoutFiles), MAX_REQUEST);
  } catch {
    return UNREADABLE; // The client will say what is wrong with it.
  }
}

function withoutFiles(_: string, value: unknown): unknown {
  return isFile(value) ? `[file, ${value.length} characters of base64]` : value;
}

function isFile(value: unknown): value is string {
  return typeof value === 'string' && value.length >= MIN_FILE && (value.startsWith('data:') || /^[A-Za-z0-9+/_-]{1024}/.test(value));
}

/** An argument or a result: text as it is, everything else as JSON. `undefined` is nothing. */
export function valueText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return cut(value, MAX_TEXT);
  try {
    return cut(JSON.stringify(plain(value, { values: MAX_VALUES }, 0, [])), MAX_TEXT);
  } catch {
    return UNREADABLE; // A getter that throws.
  }
}

export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… [${text.length - length} characters cut]`;
}

/** What of a value JSON can hold; other objects by the name of their class. */
function plain(value: unknown, budget: { values: number }, depth: number, above: unknown[]): unknown {
  budget.values -= 1;
  if (typeof value === 'string') return cut(value, MAX_TEXT);
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return `[function ${value.name}]`;
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (budget.values <= 0 || depth >= MAX_DEPTH || above.includes(value)) return '[…]';
  const path = [...above, value];
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => plain(item, budget, depth + 1, path));
    if (value.length > MAX_ITEMS) items.push(`[${value.length - MAX_ITEMS} more]`);
    return items;
  }
  if (value instanceof Map || value instanceof Set) return plain([...value], budget, depth, path);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor?.name ?? 'object'}]`;
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([key, field]) => [key, plain(field, budget, depth + 1, path)]));
}
