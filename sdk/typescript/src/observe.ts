// Functions as steps.

import { settle, type Tracing } from './scope.js';
import { valueText } from './snapshot.js';
import type { OpenStep, StepOptions } from './step.js';

export interface ObserveOptions extends StepOptions {
  /** Default: the function's own name. */
  name?: string;
  /** Whether arguments are kept. Default: `true`. */
  captureInput?: boolean;
  /** Whether results are kept. Default: `true`. */
  captureOutput?: boolean;
}

/** Of what a generator yields, so many values are kept. */
const MAX_YIELDED = 1_000;

type AnyFunction = (this: any, ...args: any[]) => any;
type Inside = <R>(fn: () => R) => R;

/** The same function, with every call a step. `find` says at each call whose step it is; `undefined`: of nobody. */
export function observed<F extends AnyFunction>(find: () => Tracing | undefined, fn: F, options: ObserveOptions): F {
  const name = options.name ?? (fn.name || 'anonymous');
  const keepsOutput = options.captureOutput ?? true;
  function observe(this: unknown, ...args: unknown[]): unknown {
    const call = () => fn.apply(this, args) as unknown;
    const tracing = find();
    if (tracing === undefined) return call();
    const run = tracing.runOfCall(undefined);
    const fields = { kind: options.kind ?? ('chain' as const), prompt: inputOf(args, options) };
    const step = tracing.openStep(name, fields, options, run);
    const inside: Inside = (part) => tracing.inside(step, run, options, part);
    let result: unknown;
    try {
      result = inside(call);
    } catch (error) {
      step.fail(error);
      throw error;
    }
    const kind = Object.prototype.toString.call(result);
    if (kind === '[object Generator]') return yieldFrom(result as Generator, step, inside, keepsOutput);
    if (kind === '[object AsyncGenerator]') return yieldFromAsync(result as AsyncGenerator, step, inside, keepsOutput);
    return settle(step, () => result, keepsOutput);
  }
  return Object.defineProperties(observe, { name: { value: fn.name }, length: { value: fn.length } }) as unknown as F;
}

function inputOf(args: unknown[], options: ObserveOptions): string {
  if ('input' in options) return valueText(options.input) ?? '';
  if (options.captureInput === false || args.length === 0) return '';
  return valueText(args.length === 1 ? args[0] : args) ?? '';
}

// Each part of a generator's body runs inside of its step, and the caller's code between two parts does not.

function* yieldFrom(generator: Generator, step: OpenStep, inside: Inside, keepsOutput: boolean): Generator {
  const yielded = new Yielded(keepsOutput);
  try {
    let next = inside(() => generator.next());
    while (!next.done) {
      yielded.add(next.value);
      let sent: unknown;
      try {
        sent = yield next.value;
      } catch (thrown) {
        next = inside(() => generator.throw(thrown));
        continue;
      }
      next = inside(() => generator.next(sent));
    }
    yielded.end(step, next.value);
    return next.value;
  } catch (error) {
    step.fail(error, yielded.fields());
    throw error;
  } finally {
    if (!step.hasEnded) {
      inside(() => generator.return(undefined));
      step.abort(yielded.fields());
    }
  }
}

async function* yieldFromAsync(generator: AsyncGenerator, step: OpenStep, inside: Inside, keepsOutput: boolean): AsyncGenerator {
  const yielded = new Yielded(keepsOutput);
  try {
    let next = await inside(() => generator.next());
    while (!next.done) {
      yielded.add(next.value);
      let sent: unknown;
      try {
        sent = yield next.value;
      } catch (thrown) {
        next = await inside(() => generator.throw(thrown));
        continue;
      }
      next = await inside(() => generator.next(sent));
    }
    yielded.end(step, next.value);
    return next.value;
  } catch (error) {
    step.fail(error, yielded.fields());
    throw error;
  } finally {
    if (!step.hasEnded) {
      await inside(() => generator.return(undefined));
      step.abort(yielded.fields());
    }
  }
}

/** What a generator has yielded so far: a text when it yields texts, otherwise a list. */
class Yielded {
  readonly #values: unknown[] = [];
  readonly #isKept: boolean;

  constructor(isKept: boolean) {
    this.#isKept = isKept;
  }

  add(value: unknown): void {
    if (this.#isKept && this.#values.length < MAX_YIELDED) this.#values.push(value);
  }

  fields(): { output_code?: string } {
    if (this.#values.length === 0) return {};
    const areTexts = this.#values.every((value) => typeof value === 'string');
    return { output_code: valueText(areTexts ? this.#values.join('') : this.#values) ?? '' };
  }

  end(step: OpenStep, returned: unknown): void {
    if (this.#values.length > 0) step.end(this.fields());
    else if (this.#isKept) step.succeed(returned);
    else step.end();
  }
}
