// A step that is under way.

import { runtime } from './runtime.js';
import { cut, valueText } from './snapshot.js';
import type { Labels } from './labels.js';
import type { IngestStep, StepKind } from './wire.js';

const MAX_ERROR = 16 * 1024;

export interface StepOptions extends Labels {
  /** Default: `chain`. */
  kind?: StepKind;
  /** What goes in. Default of `observe()`: the arguments. */
  input?: unknown;
}

/** Fields of a step that are known when it ends. */
export type StepFields = Partial<Omit<IngestStep, 'run_id' | 'step_id' | 'parent_step_id' | 'step_index' | 'started_at' | 'latency_ms'>>;

/** Where a step stands, and where it goes when it has ended. */
export interface StepPlace {
  readonly runId: string;
  readonly parentStepId: string | undefined;
  readonly index: number;
  readonly labels: Labels;
  readonly record: (step: IngestStep) => void;
}

export class OpenStep {
  /** Identity within its run. */
  readonly id = runtime.randomUuid();
  readonly runId: string;
  readonly #place: StepPlace;
  readonly #name: string;
  readonly #startedAt = new Date();
  readonly #began = performance.now();
  readonly #fields: StepFields;
  #hasEnded = false;

  /** @internal */
  constructor(place: StepPlace, name: string, fields: StepFields) {
    this.#place = place;
    this.runId = place.runId;
    this.#name = name;
    this.#fields = { ...fields };
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Milliseconds since it began. */
  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** Sets what of the step is known now; of a function's step for instance `model` and `usage`. */
  set(fields: StepFields): void {
    const attributes = fields.attributes && { ...this.#fields.attributes, ...fields.attributes };
    Object.assign(this.#fields, fields, attributes && { attributes });
  }

  /** Marks a point in time inside of the step. */
  event(name: string, attributes?: Record<string, unknown>): void {
    const events = this.#fields.events ?? [];
    if (events.length >= 1_000) return;
    this.#fields.events = [...events, { name, at: new Date().toISOString(), ...(attributes === undefined ? {} : { attributes }) }];
  }

  /** Ends it; the second end is none. */
  end(fields: StepFields = {}): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.set(fields);
    const { labels, index, parentStepId, record } = this.#place;
    const step: IngestStep = {
      ...wireLabels(labels),
      model: '',
      prompt: '',
      step_name: this.#name,
      ...this.#fields,
      run_id: this.runId,
      step_id: this.id,
      step_index: index,
      started_at: this.#startedAt.toISOString(),
      latency_ms: this.elapsedMs,
    };
    if (parentStepId !== undefined) step.parent_step_id = parentStepId;
    if (labels.tags !== undefined) step.tags = [...labels.tags, ...(step.tags ?? [])];
    if (labels.attributes !== undefined) step.attributes = { ...labels.attributes, ...step.attributes };
    record(step);
  }

  /** Ends it as failed. */
  fail(error: unknown, fields: StepFields = {}): void {
    this.end({ status_success: false, ...describeError(error), ...fields });
  }

  /** Ends it because the caller has lost interest, which is no failure. */
  abort(fields: StepFields = {}): void {
    this.end({ ...fields, aborted: true });
  }

  /** Ends it with the result of a function. */
  succeed(result: unknown): void {
    const output = this.#fields.output_code === undefined ? valueText(result) : undefined;
    this.end(output === undefined ? {} : { output_code: output });
  }
}

export function wireLabels(labels: Labels): Partial<IngestStep> {
  return {
    ...(labels.environment === undefined ? {} : { environment: labels.environment }),
    ...(labels.release === undefined ? {} : { release: labels.release }),
    ...(labels.sessionId === undefined ? {} : { session_id: labels.sessionId }),
    ...(labels.userId === undefined ? {} : { user_id: labels.userId }),
  };
}

export function describeError(error: unknown): { error: string; error_class: string } {
  if (!(error instanceof Error)) return { error: cut(valueText(error) ?? 'undefined', MAX_ERROR), error_class: typeof error };
  return { error: cut(messageOf(error), MAX_ERROR), error_class: error.constructor.name || error.name };
}

/** Of the caller's class, whose `message` may fail. */
function messageOf(error: Error): string {
  try {
    return String(error.message || error.name);
  } catch {
    return 'Error';
  }
}
