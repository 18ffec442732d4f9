// One call of a wrapped client: what comes of it is recorded, and handed on as it is.

import type { TraceOptions } from '../labels.js';
import { cut, requestText } from '../snapshot.js';
import { wireLabels, type OpenStep, type StepFields } from '../step.js';
import { loose, word, type AskedFor, type Body, type CallReader, type Reading, type StreamReader } from './api.js';
import { describeFailure, isAbort } from './failure.js';

const MAX_OUTPUT = 8 * 1024 * 1024;

/** The promise that clients return: it sends at once, and parses the answer when somebody waits for that. */
interface LazyPromise extends Promise<unknown> {
  /** What `then`, `catch` and `finally` begin with. */
  parse(): Promise<unknown>;
  asResponse(): Promise<Response>;
  withResponse(): Promise<{ data: unknown; response: Response }>;
  /** The same request with its answer transformed; for the client's own helpers. */
  _thenUnwrap?(transform: (answer: unknown, props: unknown) => unknown): LazyPromise;
}

/** Another request in the place of one that failed. */
type Again = (error: unknown) => unknown;

export class Call {
  readonly #step: OpenStep;
  readonly #reader: CallReader;
  #asked: AskedFor = { usage: false };
  #requestModel: string | undefined;

  constructor(step: OpenStep, reader: CallReader) {
    this.#step = step;
    this.#reader = reader;
  }

  /** Takes note of the request; never throws. */
  asks(body: Body, trace: TraceOptions, asked: AskedFor): void {
    this.#asked = asked;
    this.#requestModel = word(body['model']);
    const { stepName, promptTemplate, tags, attributes } = trace;
    const fields: StepFields = { ...wireLabels(trace), prompt: requestText(body) };
    if (stepName !== undefined) fields.step_name = stepName;
    if (promptTemplate !== undefined) fields.prompt_template = promptTemplate;
    if (tags !== undefined) fields.tags = tags;
    if (attributes !== undefined) fields.attributes = attributes;
    this.#step.set(fields);
  }

  /** Returns `promise`, or one that behaves like it. `again` is asked once at most. */
  watch(promise: unknown, again: Again): unknown {
    const once = memoized(again);
    if (isLazy(promise)) return this.#watchLazy(promise, once, (answer) => this.#answered(answer));
    if (promise instanceof Promise) {
      return promise.then(
        (answer: unknown) => this.#answered(answer),
        (error: unknown) => once(error) ?? this.#rethrow(error),
      );
    }
    return promise;
  }

  /**
   * The promise stays of its class and as lazy as it was: its methods are replaced, and nothing is begun that nobody asked
   * for, which might reject without anybody to hear it.
   */
  #watchLazy(promise: LazyPromise, again: Again, answered: (answer: unknown) => unknown): LazyPromise {
    const { parse, asResponse, withResponse, _thenUnwrap: unwrap } = promise;
    let parsed: Promise<unknown> | undefined;
    let other: LazyPromise | undefined;
    const instead = (error: unknown): LazyPromise => {
      const found = again(error);
      if (!isLazy(found)) this.#rethrow(error);
      return (other = found);
    };

    promise.parse = () =>
      (parsed ??= parse.call(promise).then(answered, (error: unknown) =>
        instead(error)
          .parse()
          .then(answered, (error: unknown) => this.#rethrow(error)),
      ));
    promise.withResponse = async () => {
      const data = await promise.parse();
      return { ...(await (other === undefined ? withResponse.call(promise) : other.withResponse())), data };
    };
    promise.asResponse = async () => {
      const response = await asResponse.call(promise).catch((error: unknown) => instead(error).asResponse());
      // The caller reads it alone. Of `withResponse()` the answer is being parsed by now.
      if (parsed === undefined) this.#answeredRaw(response);
      return response;
    };
    if (unwrap !== undefined) {
      promise._thenUnwrap = (transform) => {
        const whole = (answer: unknown, props: unknown) => transform(answered(answer), props);
        const unwrappedAgain = (error: unknown) => {
          const found = again(error);
          return isLazy(found) ? found._thenUnwrap?.(whole) : undefined;
        };
        return this.#watchLazy(unwrap.call(promise, whole), unwrappedAgain, (answer) => answer);
      };
    }
    return promise;
  }

  #rethrow(error: unknown): never {
    this.failed(error);
    throw error;
  }

  failed(error: unknown, reading: Reading = {}): void {
    const fields = this.#fields(reading);
    if (isAbort(error)) return this.#step.abort(fields);
    const failure = describeFailure(error);
    this.#step.fail(error, { ...fields, ...failure, attributes: { ...fields.attributes, ...failure.attributes } });
  }

  #answered(answer: unknown): unknown {
    try {
      if (isStream(answer)) return this.#watchStream(answer);
      this.#ended(this.#reader.whole(answer));
    } catch (error) {
      this.#step.end({ attributes: { sdk_error: String(error) } });
    }
    return answer;
  }

  #answeredRaw(response: Response): void {
    if (this.#step.hasEnded) return;
    const isJson = response.headers.get('content-type')?.includes('json') === true && !response.bodyUsed;
    const fields: StepFields = { attributes: { output_not_kept: true } };
    if (!isJson) return this.#step.end({ ...this.#fields({}), ...fields });
    response
      .clone()
      .json()
      .then(
        (answer) => this.#ended(this.#reader.whole(answer)),
        () => this.#step.end({ ...this.#fields({}), ...fields }),
      );
  }

  #ended(reading: Reading, fields: StepFields = {}): void {
    const { error } = reading;
    const failed: StepFields = error === undefined ? {} : { status_success: false, error: error.message, error_class: error.class ?? 'error' };
    this.#step.end({ ...this.#fields(reading), ...failed, ...fields });
  }

  #fields(reading: Reading): StepFields {
    const model = reading.model ?? this.#requestModel;
    const fields: StepFields = {};
    if (model !== undefined) fields.model = model;
    if (this.#requestModel !== undefined && this.#requestModel !== model) fields.request_model = this.#requestModel;
    if (reading.output !== undefined) fields.output_code = cut(reading.output, MAX_OUTPUT);
    if (reading.usage !== undefined) fields.usage = reading.usage;
    if (reading.stopReason !== undefined) fields.stop_reason = reading.stopReason;
    if (reading.serviceTier !== undefined) fields.service_tier = reading.serviceTier;
    if (reading.responseId !== undefined) fields.attributes = { 'gen_ai.response.id': reading.responseId };
    return fields;
  }

  /** Every way of reading a stream goes through its iterator. */
  #watchStream(stream: StreamLike): StreamLike {
    const watched = new WatchedStream(this.#reader.stream(this.#asked), this.#step, {
      ended: (reading, fields) => this.#ended(reading, fields),
      left: (reading) => this.#step.abort(this.#fields(reading)),
      failed: (error, reading) => this.failed(error, reading),
    });
    const wasAborted = () => stream.controller?.signal.aborted === true;
    const iterator = (typeof stream.iterator === 'function' ? stream.iterator : stream[Symbol.asyncIterator]).bind(stream);
    const follow = () => watched.follow(iterator(), wasAborted);
    if (typeof stream.iterator === 'function') stream.iterator = follow;
    else stream[Symbol.asyncIterator] = follow;
    return stream;
  }
}

interface StreamLike {
  iterator?: () => AsyncIterator<unknown>;
  [Symbol.asyncIterator]: () => AsyncIterator<unknown>;
  controller?: AbortController;
}

function isStream(value: unknown): value is StreamLike {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function isLazy(value: unknown): value is LazyPromise {
  const { then, parse, asResponse, withResponse } = loose(value);
  return [then, parse, asResponse, withResponse].every((method) => typeof method === 'function');
}

function memoized(again: Again): Again {
  let asked: { found: unknown } | undefined;
  return (error) => (asked ??= { found: again(error) }).found;
}

interface StreamEnds {
  ended(reading: Reading, fields: StepFields): void;
  /** The caller has stopped reading. */
  left(reading: Reading): void;
  failed(error: unknown, reading: Reading): void;
}

class WatchedStream {
  readonly #reader: StreamReader;
  readonly #step: OpenStep;
  readonly #ends: StreamEnds;
  #firstEventMs: number | undefined;
  #firstContentMs: number | undefined;
  #maxGapMs: number | undefined;

  constructor(reader: StreamReader, step: OpenStep, ends: StreamEnds) {
    this.#reader = reader;
    this.#step = step;
    this.#ends = ends;
  }

  follow(source: AsyncIterator<unknown>, wasAborted: () => boolean): AsyncIterableIterator<unknown> {
    const next = async (): Promise<IteratorResult<unknown>> => {
      for (;;) {
        const began = this.#step.elapsedMs;
        let result: IteratorResult<unknown>;
        try {
          result = await source.next();
        } catch (error) {
          this.#end((reading) => this.#ends.failed(error, reading));
          throw error;
        }
        if (result.done) {
          // A stream that was aborted ends without a word.
          this.#end((reading) => {
            if (wasAborted() && !this.#reader.isComplete) this.#ends.left(reading);
            else this.#ends.ended(reading, this.#reader.isComplete ? {} : { stream_incomplete: true });
          });
          return result;
        }
        if (!this.#see(result.value, began)) return result;
      }
    };
    return {
      next,
      return: async (value?: unknown) => {
        // After the last event it is an end like any other.
        this.#end((reading) => (this.#reader.isComplete ? this.#ends.ended(reading, {}) : this.#ends.left(reading)));
        return (await source.return?.(value)) ?? { done: true, value };
      },
      throw: async (error?: unknown) => {
        this.#end((reading) => this.#ends.failed(error, reading));
        if (source.throw === undefined) throw error;
        return source.throw(error);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Takes note of an event; says whether it is none of the caller's. */
  #see(event: unknown, began: number): boolean {
    try {
      const now = this.#step.elapsedMs;
      // Waiting alone: a caller who takes time between two events is no pause of the provider.
      if (this.#firstEventMs !== undefined) this.#maxGapMs = Math.max(this.#maxGapMs ?? 0, now - began);
      this.#firstEventMs ??= now;
      if (this.#reader.event(event)) this.#firstContentMs ??= now;
      return this.#reader.isOurs?.(event) === true;
    } catch {
      return false;
    }
  }

  #end(end: (reading: Reading) => void): void {
    if (this.#step.hasEnded) return;
    const times: StepFields = {};
    const ttftMs = this.#firstContentMs ?? this.#firstEventMs;
    if (ttftMs !== undefined) times.ttft_ms = ttftMs;
    if (this.#maxGapMs !== undefined) times.max_gap_ms = this.#maxGapMs;
    this.#step.set(times);
    let reading: Reading = {};
    try {
      reading = this.#reader.finish();
    } catch {
      // What can't be read is not recorded; the call itself is.
    }
    end(reading);
  }
}
