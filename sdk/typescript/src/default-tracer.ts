// `observe()` without a tracer at hand.

import { observed, type ObserveOptions } from './observe.js';
import { firstRegistered, hadAny } from './registry.js';
import { environmentVariable } from './runtime.js';
import { tracingAround, type Tracing } from './scope.js';
import { Tracer } from './tracer.js';

/** The tracer around the call, the first of the process, or one that is made from the environment where that names a server or a key. */
function find(): Tracing | undefined {
  const around = tracingAround();
  if (around !== undefined) return around;
  const known = firstRegistered();
  if (known !== undefined) return known.tracing;
  const isConfigured = ['PLUMBLINE_API_KEY', 'PLUMBLINE_API_URL'].some((name) => environmentVariable(name) !== undefined);
  // After shutdown() nothing is recorded: another tracer would not have the program's `redact`.
  return isConfigured && !hadAny() ? new Tracer().tracing : undefined;
}

/**
 * The same function, with every call a step of the tracer around it, or else of the process's first tracer. Without any
 * tracer nothing is recorded.
 */
export function observe<F extends (this: any, ...args: any[]) => any>(fn: F, options: ObserveOptions = {}): F {
  return observed(find, fn, options);
}
