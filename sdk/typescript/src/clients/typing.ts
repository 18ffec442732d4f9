// A wrapped client keeps its own types; its calls also take `_trace`.

import type { Labels, TraceOptions } from '../labels.js';
import type { Run } from '../scope.js';

/** A client that sends its calls through `post`, as those that Stainless generates do. */
export interface WrappableClient {
  post(path: string, options?: any): unknown;
}

/** Members that lead to calls that are recorded. */
type Leading = 'messages' | 'chat' | 'completions' | 'responses' | 'embeddings' | 'beta';
type Calling = 'create' | 'stream' | 'parse';

type WithTrace<A> = A & { _trace?: TraceOptions };

/**
 * What a method takes beside its own signatures, in which nothing changes: those are looked at first. Of three overloads
 * all are taken; a method with fewer fills the rest with its last one.
 */
type TracedMethod<F> = F extends {
  (body: infer A1, options?: infer O1): infer R1;
  (body: infer A2, options?: infer O2): infer R2;
  (body: infer A3, options?: infer O3): infer R3;
}
  ? F & {
      (body: WithTrace<A1>, options?: O1): R1;
      (body: WithTrace<A2>, options?: O2): R2;
      (body: WithTrace<A3>, options?: O3): R3;
    }
  : F;

type TracedResource<T> = Omit<T, (Calling | Leading) & keyof T> & {
  [K in Calling & keyof T]: TracedMethod<T[K]>;
} & { [K in Leading & keyof T]: TracedResource<T[K]> };

/** The run that `run()` of a wrapped client begins: the client again, and the run. */
export type TracedRun<C> = Traced<C> & Run;

/** A client that records its calls. */
export type Traced<C> = C & { [K in Leading & keyof C]: TracedResource<C[K]> } & {
  /** A run of its own for the calls of one request: they have the same run id and are counted from 0. */
  run(options?: Labels & { runId?: string }): TracedRun<C>;
};
