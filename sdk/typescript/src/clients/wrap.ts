// A client whose calls are recorded. All of a client's methods send their requests through its `post`; so that is
// what is replaced, on a proxy of the client and of those of its members that lead to recorded calls. The client itself
// stays as it is.

import { joinLabels, type Labels } from '../labels.js';
import { RunState, type Tracing } from '../scope.js';
import { loose, object, type Api, type Body } from './api.js';
import { Call } from './call.js';
import type { Traced, WrappableClient } from './typing.js';

export interface WrapOptions {
  readonly tracing: Tracing;
  readonly api: Api;
  readonly warn: (message: string) => void;
}

/** A proxy's client, so that what is wrapped already is not wrapped again. */
const clients = new WeakMap<object, WrappableClient>();

export function wrapClient<C extends WrappableClient>(client: C, options: WrapOptions, run?: RunState): Traced<C> {
  const real = (clients.get(client) ?? client) as C;
  const members = new WeakMap<object, object>();
  const methods = new WeakMap<object, unknown>();

  const ours: Record<string, unknown> = {
    post: (path: string, requestOptions?: unknown) => post(real, options, run, path, requestOptions),
    withOptions: (...args: unknown[]) => {
      const { withOptions } = loose(real);
      return wrapClient(Reflect.apply(withOptions as () => C, real, args), options, run);
    },
    run: (more: Labels & { runId?: string } = {}) => {
      return wrapClient(real, options, new RunState(more.runId, joinLabels(options.tracing.run.labels, more)));
    },
  };
  if (run !== undefined) Object.assign(ours, options.tracing.runOf(run));

  const wrapped: C = new Proxy(real, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(ours, name) && (name !== 'withOptions' || name in target)) return ours[name];
      // With itself as receiver: its private fields belong to it and to no proxy.
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value === 'function' && name !== 'constructor') {
        let bound = methods.get(value);
        if (bound === undefined) methods.set(value, (bound = isClass(value) ? value : value.bind(target)));
        return bound;
      }
      return leadsToCalls(name, value) ? member(value) : value;
    },
    has: (target, name) => (typeof name === 'string' && Object.hasOwn(ours, name)) || Reflect.has(target, name),
  });
  clients.set(wrapped, real);

  const leadsToCalls = (name: string | symbol, value: unknown): value is object =>
    typeof name === 'string' && options.api.leading.has(name) && typeof value === 'object' && value !== null;

  // Methods of a member are called on its proxy, so that they find the wrapped client where they look for theirs.
  const member = (real: object): object => {
    let found = members.get(real);
    if (found === undefined) {
      found = new Proxy(real, {
        get(target, name) {
          if (name === '_client') return wrapped;
          const value: unknown = Reflect.get(target, name, target);
          return leadsToCalls(name, value) ? member(value) : value;
        },
      });
      members.set(real, found);
    }
    return found;
  };
  return wrapped as Traced<C>;
}

function isClass(value: Function): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value).slice(0, 6));
}

function post(client: WrappableClient, options: WrapOptions, run: RunState | undefined, path: string, given: unknown): unknown {
  const plainPath = path.split('?', 1)[0] ?? path;
  const reader = options.api.readers[plainPath];
  if (reader === undefined) return client.post(path, given);

  let call: Call | undefined;
  try {
    call = new Call(options.tracing.openStep(undefined, { kind: reader.kind, provider: options.api.provider }, undefined, run), reader);
  } catch (error) {
    options.warn(`a call could not be recorded: ${String(error)}`);
  }

  const prepare = (requestOptions: unknown) => {
    const asked = object(loose(requestOptions)['body']);
    if (asked === undefined) return requestOptions;
    const { _trace: trace, ...body } = asked as Body;
    const sent = (call && options.api.prepare?.(plainPath, body)) ?? { body, asked: { usage: false } };
    call?.asks(body, loose(trace), sent.asked);
    if (sent.asked.usage) plainly = { ...loose(requestOptions), body };
    return { ...loose(requestOptions), body: sent.body };
  };
  /** The caller's own request, where ours was refused for what we had added. */
  let plainly: object | undefined;
  const again = (error: unknown) => {
    if (plainly === undefined || options.api.refuses?.(error) !== true) return undefined;
    return client.post(path, plainly);
  };

  try {
    // Some clients give their options as a promise.
    const promise = client.post(path, given instanceof Promise ? given.then(prepare) : prepare(given));
    return call === undefined ? promise : call.watch(promise, again);
  } catch (error) {
    call?.failed(error);
    throw error;
  }
}
