// Which run a step belongs to, and which step it is part of.

import { joinLabels, type Labels } from './labels.js';
import { createContextStorage, runtime, type ContextStorage } from './runtime.js';
import { OpenStep, type StepFields, type StepOptions } from './step.js';
import type { IngestStep } from './wire.js';

/** The steps of one run, wherever they are made. */
export class RunState {
  readonly labels: Labels;
  #id: string | undefined;
  #steps = 0;

  constructor(id: string | undefined, labels: Labels) {
    this.#id = id;
    this.labels = labels;
  }

  /** Made when it is first asked for: a Worker makes its tracer where nothing random is to be had. */
  get id(): string {
    return (this.#id ??= runtime.randomUuid());
  }

  /** Counts from 0. */
  nextIndex(): number {
    return this.#steps++;
  }
}

/** A run that is under way. */
export interface Run {
  readonly runId: string;
  /** Runs `fn` as a step of this run; steps that it makes are part of it. */
  step<R>(name: string, fn: (step: OpenStep) => R, options?: StepOptions): R;
  /** Runs `fn` so that steps it makes belong to this run, without a step around them. */
  within<R>(fn: () => R): R;
}

/** What follows a function through everything that it calls. */
interface Context {
  readonly tracing: Tracing;
  readonly run: RunState;
  readonly stepId: string | undefined;
  readonly labels: Labels;
}

// Made on first use: `node.ts` says first what it is made of.
let storage: ContextStorage<Context> | undefined;

function contexts(): ContextStorage<Context> {
  return (storage ??= createContextStorage<Context>());
}

/** The tracer around the current call. */
export function tracingAround(): Tracing | undefined {
  return contexts().getStore()?.tracing;
}

/** Opens steps in the right place. One for each tracer. */
export class Tracing {
  /** Of calls outside of any run. */
  readonly run: RunState;
  readonly #hasRunOfItsOwn: boolean;
  readonly #record: (step: IngestStep) => void;

  constructor(options: { runId: string | undefined; labels: Labels; record: (step: IngestStep) => void }) {
    this.run = new RunState(options.runId, options.labels);
    this.#hasRunOfItsOwn = options.runId !== undefined;
    this.#record = options.record;
  }

  #around(): Context | undefined {
    const context = contexts().getStore();
    return context?.tracing === this ? context : undefined;
  }

  /** Where a step stands that begins now: in `run`, or in the run around the call. */
  openStep(name: string | undefined, fields: StepFields, labels?: Labels, run?: RunState): OpenStep {
    const around = this.#around();
    const inRun = run ?? around?.run ?? this.run;
    const index = inRun.nextIndex();
    const isPart = around?.run.id === inRun.id;
    const place = {
      runId: inRun.id,
      parentStepId: isPart ? around.stepId : undefined,
      index,
      labels: joinLabels(isPart ? around.labels : inRun.labels, labels),
      record: this.#record,
    };
    return new OpenStep(place, name ?? `step_${index + 1}`, fields);
  }

  /** The run of a function that is called now: `run`, the one around it, or a new one. */
  runOfCall(run: RunState | undefined): RunState {
    return run ?? this.#around()?.run ?? (this.#hasRunOfItsOwn ? this.run : new RunState(undefined, this.run.labels));
  }

  /** Runs `fn` so that steps it makes are part of `step`. */
  inside<R>(step: OpenStep, run: RunState, labels: Labels | undefined, fn: () => R): R {
    const around = this.#around();
    const outer = around?.run.id === run.id ? around.labels : run.labels;
    return contexts().run({ tracing: this, run, stepId: step.id, labels: joinLabels(outer, labels) }, fn);
  }

  /** Runs `fn` so that steps it makes belong to `run`. */
  within<R>(run: RunState, fn: () => R): R {
    return contexts().run({ tracing: this, run, stepId: undefined, labels: run.labels }, fn);
  }

  /** `run` for those who make steps of it. */
  runOf(run: RunState): Run {
    return {
      runId: run.id,
      step: (name, fn, options) => this.step(name, fn, options, run),
      within: (fn) => this.within(run, fn),
    };
  }

  /** Runs `fn` so that steps it makes have `labels`. */
  labelled<R>(labels: Labels, fn: () => R): R {
    const around = this.#around();
    const run = around?.run ?? this.run;
    return contexts().run({ tracing: this, run, stepId: around?.stepId, labels: joinLabels(around?.labels ?? run.labels, labels) }, fn);
  }

  /** Runs `fn` as a step. */
  step<R>(name: string, fn: (step: OpenStep) => R, options: StepOptions & { fields?: StepFields } = {}, run?: RunState): R {
    const inRun = this.runOfCall(run);
    const step = this.openStep(name, { kind: options.kind ?? 'chain', ...options.fields }, options, inRun);
    return settle(step, () => this.inside(step, inRun, options, () => fn(step)));
  }
}

/** Ends `step` with what `call` returns, or resolves to. */
export function settle<R>(step: OpenStep, call: () => R, keepsOutput = true): R {
  const succeed = (value: unknown) => (keepsOutput ? step.succeed(value) : step.end());
  let result: R;
  try {
    result = call();
  } catch (error) {
    step.fail(error);
    throw error;
  }
  if (!isThenable(result)) {
    succeed(result);
    return result;
  }
  const ended = result.then(
    (value) => {
      succeed(value);
      return value;
    },
    (error: unknown) => {
      step.fail(error);
      throw error;
    },
  );
  if (result.constructor === Promise) return ended as R;
  // A promise with methods of its own stays what it is.
  ended.then(undefined, () => undefined);
  return result;
}

function isThenable(value: unknown): value is PromiseLike<unknown> & object {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
