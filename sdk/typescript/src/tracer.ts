// The entry point: `new Tracer({ apiKey })`.

import { anthropic } from './clients/anthropic.js';
import { openai, type OpenAiOptions } from './clients/openai.js';
import type { Traced, WrappableClient } from './clients/typing.js';
import { wrapClient } from './clients/wrap.js';
import { labelsOfEnvironment } from './environment.js';
import { joinLabels, type Labels } from './labels.js';
import { observed, type ObserveOptions } from './observe.js';
import { EXIT_PATIENCE_MS, register, unregister } from './registry.js';
import { environmentVariable, runtime } from './runtime.js';
import { RunState, Tracing, type Run } from './scope.js';
import { Sender, type SenderStats } from './sender.js';
import { wireLabels, type OpenStep, type StepOptions } from './step.js';
import type { IngestStep } from './wire.js';

const DEFAULT_API_URL = 'http://127.0.0.1:3000';
const FLUSH_PATIENCE_MS = 10_000;

export interface TracerOptions extends Labels {
  /** Default: `PLUMBLINE_API_KEY`. A server on this machine that has no accounts needs none. */
  apiKey?: string;
  /** The server's origin. Default: `PLUMBLINE_API_URL`, or `http://127.0.0.1:3000`. */
  apiUrl?: string;
  /** The run of everything that is not part of another. Default: made here. */
  runId?: string;
  /** `false` records nothing; everything else stays as it is. Default: `true`, unless `PLUMBLINE_DISABLED` is set. */
  enabled?: boolean;
  /** Sees each step before it is sent. What it returns is sent in its place; `undefined` or `null`: nothing. */
  redact?: (step: IngestStep) => IngestStep | null | undefined;
  /** Steps that wait at most; more are dropped and counted. Default: 10,000. */
  maxQueueSteps?: number;
  /** Bytes of steps that wait at most. Default: 64 MiB. */
  maxQueueBytes?: number;
  /** How long a step waits for others. Default: 1000. */
  flushIntervalMs?: number;
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch;
  /** Hears what goes wrong with recording; each thing once. Default: `console.warn`. */
  onWarning?: (message: string) => void;
}

export class Tracer {
  readonly #sender: Sender;
  readonly #tracing: Tracing;
  readonly #labels: Labels;
  readonly #isEnabled: boolean;
  readonly #redact: TracerOptions['redact'];
  readonly #warn: (message: string) => void;

  constructor(options: TracerOptions = {}) {
    this.#warn = guarded(options.onWarning ?? ((message) => console.warn(`plumbline: ${message}`)));
    this.#isEnabled = options.enabled ?? environmentVariable('PLUMBLINE_DISABLED') === undefined;
    this.#redact = options.redact;
    this.#labels = joinLabels(labelsOfEnvironment(), options);
    this.#sender = new Sender({
      apiUrl: originOf(options.apiUrl ?? environmentVariable('PLUMBLINE_API_URL') ?? DEFAULT_API_URL),
      apiKey: options.apiKey ?? environmentVariable('PLUMBLINE_API_KEY'),
      maxQueueSteps: options.maxQueueSteps ?? 10_000,
      maxQueueLength: options.maxQueueBytes ?? 64 * 1024 * 1024,
      flushIntervalMs: options.flushIntervalMs ?? 1_000,
      // Looked up at each call: tests and instrumentations replace it.
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
      warn: this.#warn,
    });
    this.#tracing = new Tracing({ runId: options.runId, labels: this.#labels, record: (step) => this.#record(step) });
    register(this);
  }

  /** The run of everything that is not part of another. */
  get runId(): string {
    return this.#tracing.run.id;
  }

  /** What became of the steps so far. */
  get stats(): SenderStats {
    return this.#sender.stats;
  }

  /** @internal Opens steps. */
  get tracing(): Tracing {
    return this.#tracing;
  }

  /** The client of Anthropic, with every call recorded. The one that is given stays as it is. */
  wrapAnthropic<C extends WrappableClient>(client: C): Traced<C> {
    return wrapClient(client, { tracing: this.#tracing, api: anthropic, warn: this.#warn });
  }

  /** The client of OpenAI, or of a service that speaks like it, with every call recorded. */
  wrapOpenAI<C extends WrappableClient>(client: C, options: OpenAiOptions = {}): Traced<C> {
    // Where nothing is recorded nothing is asked for either.
    const asks = this.#isEnabled ? options : { ...options, streamUsage: false };
    return wrapClient(client, { tracing: this.#tracing, api: openai(client, asks), warn: this.#warn });
  }

  /** A run of its own, for steps that are no calls of a wrapped client. */
  run(options: Labels & { runId?: string } = {}): Run {
    return this.#tracing.runOf(new RunState(options.runId, joinLabels(this.#labels, options)));
  }

  /** Runs `fn` as a step: of the run around it, or as the first of a new run. */
  step<R>(name: string, fn: (step: OpenStep) => R, options: StepOptions = {}): R {
    return this.#tracing.step(name, fn, options);
  }

  /** The same function, with every call a step. Works for functions, asynchronous functions and generators of both kinds. */
  observe<F extends (this: any, ...args: any[]) => any>(fn: F, options: ObserveOptions = {}): F {
    return observed(() => this.#tracing, fn, options);
  }

  /** Runs `fn` with labels for all steps made in it. */
  withLabels<R>(labels: Labels, fn: () => R): R {
    return this.#tracing.labelled(labels, fn);
  }

  /** Records a step that was done elsewhere. Waits for nothing; `flush()` does. */
  ingest(step: IngestStep): Promise<void> {
    try {
      const latency = Number.isFinite(step.latency_ms) ? step.latency_ms : 0;
      // What is given as undefined is not given.
      const given = Object.fromEntries(Object.entries(step).filter(([, value]) => value !== undefined)) as unknown as IngestStep;
      const { tags = [], attributes = {} } = this.#labels;
      const whole: IngestStep = {
        ...wireLabels(this.#labels),
        run_id: this.runId,
        started_at: new Date(Date.now() - latency).toISOString(),
        model: '',
        prompt: '',
        ...given,
      };
      // Without an id sending it again would store it again.
      if (given.step_id === undefined && given.span_id === undefined) whole.step_id = runtime.randomUuid();
      if (tags.length > 0) whole.tags = [...tags, ...(given.tags ?? [])];
      if (Object.keys(attributes).length > 0) whole.attributes = { ...attributes, ...given.attributes };
      this.#record(whole);
    } catch (error) {
      this.#sender.warnOnce('unrecorded', `a step could not be recorded: ${String(error)}`);
    }
    return Promise.resolve();
  }

  /** Waits until what was recorded so far is sent. Resolves to whether it is; never rejects. */
  flush({ timeoutMs = FLUSH_PATIENCE_MS }: { timeoutMs?: number } = {}): Promise<boolean> {
    return this.#sender.flush(timeoutMs);
  }

  /** @internal Ends a request that is under way. */
  giveUp(): void {
    this.#sender.giveUpRound();
  }

  /** Sends what is left and records no more. Call it before `process.exit()`; a process that just ends does it by itself. */
  async shutdown({ timeoutMs = EXIT_PATIENCE_MS }: { timeoutMs?: number } = {}): Promise<void> {
    await this.#sender.shutdown(timeoutMs);
    unregister(this);
  }

  #record(step: IngestStep): void {
    if (!this.#isEnabled) return;
    try {
      const kept = this.#redact === undefined ? step : this.#redact(step);
      if (kept) this.#sender.enqueue(jsonOf(kept));
    } catch (error) {
      // Better no step than one that was to be redacted.
      this.#sender.warnOnce('unrecorded', `a step could not be recorded: ${String(error)}`);
    }
  }
}

/** JSON in which half a character (of a text cut in its middle) is none: no server can read it. */
function jsonOf(step: IngestStep): string {
  const json = JSON.stringify(step);
  if (!json.includes('\\ud')) return json;
  return json.replace(/\\(?:u(d[89a-f][0-9a-f]{2})|.)/g, (escape, half: string | undefined) => (half === undefined ? escape : '\\ufffd'));
}

/** Without what somebody may have copied with it: slashes at the end, the path of ingest. */
function originOf(url: string): string {
  return url.trim().replace(/\/+$/, '').replace(/\/ingest(\/batch)?$/, '');
}

function guarded(warn: (message: string) => void): (message: string) => void {
  return (message) => {
    try {
      warn(message);
    } catch {
      // Somebody else's, and nobody to tell.
    }
  };
}
