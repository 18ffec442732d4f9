// Sends steps in the background: batches, retries, bounds. Nothing in here throws to a caller or makes one wait.

import { backgroundTimer } from './runtime.js';

/** Steps and characters of one request. The server takes up to 1,000 steps and 64 MiB. */
const BATCH_STEPS = 500;
const BATCH_LENGTH = 4 * 1024 * 1024;
/** A larger step is not sent: the server would refuse it. */
const MAX_STEP_LENGTH = 24 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;
/** While somebody waits in `flush()`. */
const HURRIED_BACKOFF_MS = 500;
/** A server that asks for more patience is asked again after this. */
const MAX_RETRY_AFTER_MS = 60_000;
/** So often a batch is sent at which the server itself fails (500); then it is taken apart, and in the end given up. */
const MAX_FAILURES_OF_SERVER = 3;

export interface SenderOptions {
  /** The server's origin. */
  readonly apiUrl: string;
  readonly apiKey: string | undefined;
  readonly maxQueueSteps: number;
  /** In characters of JSON, which are about bytes. */
  readonly maxQueueLength: number;
  /** How long a step waits for others. */
  readonly flushIntervalMs: number;
  readonly fetch: typeof globalThis.fetch;
  readonly warn: (message: string) => void;
}

export interface SenderStats {
  /** Steps that wait, those being sent included. */
  queued: number;
  /** Steps that the server has, also those it had already. */
  sent: number;
  /** Steps that the server refused. */
  rejected: number;
  /** Steps given up here: the queue was full, or the server was not reached in time. */
  dropped: number;
}

/** What became of one request. */
type Outcome =
  | { kind: 'taken'; rejected: number }
  /** `isOfOne`: the batch may be refused because of one step in it. */
  | { kind: 'refused'; reason: string; isOfOne: boolean }
  | { kind: 'again'; reason: string; afterMs: number; isFailureOfServer: boolean };

export class Sender {
  readonly #options: SenderOptions;
  readonly #warned = new Set<string>();
  #queue: string[] = [];
  #queuedLength = 0;
  #batchSteps = BATCH_STEPS;
  #sent = 0;
  #rejected = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  /** Counts who sends; one that is no longer the last has been given up. */
  #round = 0;
  /** When what is under way has ended in any case. */
  #dueAt = 0;
  #request: AbortController | undefined;
  /** Ends the wait between two attempts. */
  #wake: (() => void) | undefined;
  /** How many callers of `flush()` wait. */
  #hurry = 0;
  #isClosed = false;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  get stats(): SenderStats {
    return { queued: this.#queue.length, sent: this.#sent, rejected: this.#rejected, dropped: this.#dropped };
  }

  /** Takes a step as JSON. */
  enqueue(step: string): void {
    const { maxQueueSteps, maxQueueLength, flushIntervalMs } = this.#options;
    if (this.#isClosed) {
      this.#drop(1, 'after shutdown()');
    } else if (step.length > MAX_STEP_LENGTH) {
      this.#drop(1, `larger than ${MAX_STEP_LENGTH / 1024 / 1024} MiB`);
    } else if (this.#queue.length >= maxQueueSteps || this.#queuedLength + step.length > maxQueueLength) {
      this.#drop(1, 'the queue is full');
    } else {
      this.#queue.push(step);
      this.#queuedLength += step.length;
      if (this.#queue.length >= this.#batchSteps) this.#start();
      else this.#timer ??= backgroundTimer(() => this.#start(), flushIntervalMs);
    }
  }

  /** Waits until everything that was queued by now is sent, for up to `timeoutMs`. Says whether it is. */
  async flush(timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    this.#hurry += 1;
    try {
      while (this.#queue.length > 0) {
        const left = deadline - Date.now();
        if (left <= 0) return false;
        if (this.#sending !== undefined && Date.now() > this.#dueAt) this.giveUpRound();
        this.#start();
        this.#wake?.();
        // This timer keeps the process alive on purpose.
        let timer: ReturnType<typeof setTimeout> | undefined;
        const patience = new Promise<void>((done) => (timer = setTimeout(done, left)));
        try {
          await Promise.race([this.#sending, patience]);
        } catch {
          // It never fails; a Worker says so of what was begun by a request that has ended.
          this.giveUpRound();
        }
        clearTimeout(timer);
      }
      return true;
    } finally {
      this.#hurry -= 1;
    }
  }

  /** Sends what it can for up to `timeoutMs` and gives up the rest. */
  async shutdown(timeoutMs: number): Promise<void> {
    const isSent = await this.flush(timeoutMs);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (isSent) return;
    this.#drop(this.#queue.length, `not sent within ${timeoutMs} ms`);
    this.#queue = [];
    this.#queuedLength = 0;
    this.#request?.abort();
    this.#wake?.();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined) return;
    const round = (this.#round += 1);
    this.#sending = this.#drain(round).finally(() => {
      if (round === this.#round) this.#sending = undefined;
    });
  }

  /**
   * Ends what is under way, so that it can begin anew. Whoever sends in an edge runtime ends with the request that began
   * it, and nothing tells us so; what is sent twice is one step.
   */
  giveUpRound(): void {
    this.#round += 1;
    this.#sending = undefined;
    try {
      this.#request?.abort();
      this.#wake?.();
    } catch {
      // A Worker's request may not touch what another one has begun.
    }
    this.#timer ??= backgroundTimer(() => this.#start(), this.#options.flushIntervalMs);
  }

  async #drain(round: number): Promise<void> {
    let attempt = 0;
    while (this.#queue.length > 0) {
      const batch = this.#nextBatch();
      const outcome = await this.#post(batch);
      if (round !== this.#round || (this.#isClosed && this.#queue.length === 0)) return;
      const isHopeless = outcome.kind === 'again' && outcome.isFailureOfServer && attempt + 1 >= MAX_FAILURES_OF_SERVER;
      if (outcome.kind === 'again' && !isHopeless) {
        this.warnOnce('unreachable', `${outcome.reason}; steps wait and are sent again`);
        await this.#wait(backoffMs(attempt), outcome.afterMs);
        if (round !== this.#round) return;
        attempt += 1;
        continue;
      }
      if (batch.length > 1 && (isHopeless || (outcome.kind === 'refused' && outcome.isOfOne))) {
        // Smaller parts fit, and of them only the one with the culprit fails.
        this.#batchSteps = Math.ceil(batch.length / 2);
        attempt = 0;
        continue;
      }
      attempt = 0;
      this.#batchSteps = BATCH_STEPS;
      this.#warned.delete('unreachable');
      this.#remove(batch);
      if (outcome.kind === 'taken') {
        this.#sent += batch.length - outcome.rejected;
        this.#rejected += outcome.rejected;
      } else {
        this.#rejected += batch.length;
        this.warnOnce(outcome.reason, `${batch.length} steps were refused: ${outcome.reason}`);
      }
    }
  }

  /** The oldest steps, which stay queued until the server has answered. */
  #nextBatch(): string[] {
    let length = 0;
    let end = 0;
    while (end < this.#queue.length && end < this.#batchSteps) {
      length += this.#queue[end]?.length ?? 0;
      if (end > 0 && length > BATCH_LENGTH) break;
      end += 1;
    }
    return this.#queue.slice(0, end);
  }

  #remove(batch: string[]): void {
    this.#queue.splice(0, batch.length);
    this.#queuedLength -= batch.reduce((sum, step) => sum + step.length, 0);
  }

  async #post(batch: string[]): Promise<Outcome> {
    const { apiUrl, apiKey, fetch } = this.#options;
    const request = new AbortController();
    this.#request = request;
    this.#dueAt = Date.now() + 2 * REQUEST_TIMEOUT_MS;
    const timer = setTimeout(() => request.abort(), REQUEST_TIMEOUT_MS);
    try {
      const response = await fetch(`${apiUrl}/ingest/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
        body: `{"steps":[${batch.join(',')}]}`,
        signal: request.signal,
      });
      const text = await response.text();
      return this.#read(response, text);
    } catch (error) {
      const reason = request.signal.aborted ? `no answer within ${REQUEST_TIMEOUT_MS / 1000} s` : messageOf(error);
      return { kind: 'again', reason: `${apiUrl} was not reached (${reason})`, afterMs: 0, isFailureOfServer: false };
    } finally {
      clearTimeout(timer);
      if (this.#request === request) this.#request = undefined;
    }
  }

  #read(response: Response, text: string): Outcome {
    const { status } = response;
    const answer = parse(text);
    if (response.ok) {
      const rejected = answer?.rejected ?? [];
      for (const { message } of rejected) this.warnOnce(`rejected: ${message}`, `the server refused a step: ${message}`);
      return { kind: 'taken', rejected: rejected.length };
    }
    const said = answer?.error?.message;
    const reason = `${this.#options.apiUrl} answered ${status}${said === undefined ? '' : `: ${said}`}`;
    if (status >= 500 || status === 429 || status === 408) {
      return { kind: 'again', reason, afterMs: retryAfterMs(response.headers.get('retry-after')), isFailureOfServer: status === 500 };
    }
    return { kind: 'refused', reason, isOfOne: status === 400 || status === 413 };
  }

  /** Before another attempt. While somebody waits in `flush()` it is short. */
  async #wait(backoffMs: number, atLeastMs: number): Promise<void> {
    if (this.#isClosed) return;
    const milliseconds = Math.max(this.#hurry > 0 ? Math.min(backoffMs, HURRIED_BACKOFF_MS) : backoffMs, atLeastMs);
    this.#dueAt = Date.now() + milliseconds + REQUEST_TIMEOUT_MS;
    let wake: (() => void) | undefined;
    await new Promise<void>((done) => {
      const timer = backgroundTimer(done, milliseconds);
      this.#wake = wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    if (this.#wake === wake) this.#wake = undefined;
  }

  #drop(steps: number, reason: string): void {
    this.#dropped += steps;
    this.warnOnce(`dropped: ${reason}`, `${steps === 1 ? 'a step was' : `${steps} steps were`} dropped: ${reason}; more are counted, see stats`);
  }

  /** Says a thing once, however often it happens. What differs each time is bounded. */
  /** Says what goes wrong, each kind once. */
  warnOnce(key: string, message: string): void {
    if (this.#warned.has(key) || this.#warned.size > 50) return;
    this.#warned.add(key);
    this.#options.warn(message);
  }
}

interface Answer {
  rejected?: { message: string }[];
  error?: { message?: string };
}

function parse(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

/** Doubles with each attempt, and is anything between half of that and all of it, so that clients do not come together. */
function backoffMs(attempt: number): number {
  const whole = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return whole * (0.5 + Math.random() / 2);
}

/** `Retry-After` in seconds or as a date, and up to a tenth more, for the same reason. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const seconds = Number(header);
  const milliseconds = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  if (!(milliseconds > 0)) return 0;
  return Math.min(MAX_RETRY_AFTER_MS, milliseconds) * (1 + Math.random() / 10);
}
