// A step as `POST /ingest` takes it. Every field is described in docs/ingest.md.

export type StepKind = 'llm' | 'tool' | 'agent' | 'chain' | 'retrieval' | 'embedding' | 'guardrail' | 'other';

export interface IngestStep {
  /** Steps with the same id are one run. Default: the run around the call, or the tracer's. */
  run_id?: string;
  step_name: string;
  /** Order within the run. Default: counted. */
  step_index?: number;
  /** Identity within the run, which makes sending twice harmless. Default: made here. */
  step_id?: string;
  parent_step_id?: string;
  /** Other words for `step_id` and `parent_step_id`. */
  span_id?: string;
  parent_span_id?: string;
  /** Default: `llm`. */
  kind?: StepKind;
  /** A tool, a retrieval and the like need neither this nor a prompt. */
  model?: string;
  request_model?: string;
  provider?: string;
  tool_name?: string;
  /** Plain text, or `{ system, messages }`, as an object or as JSON. */
  prompt?: unknown;
  prompt_template?: string;
  /** What came out. */
  output_code?: unknown;
  /** How long it took, in milliseconds. */
  latency_ms: number;
  /** RFC 3339. Default: now minus `latency_ms`. */
  started_at?: string;
  /** Time to the first token, in milliseconds. */
  ttft_ms?: number;
  /** The longest pause of a stream, in milliseconds. */
  max_gap_ms?: number;
  stream_incomplete?: boolean;
  /** Default: `true`. */
  status_success?: boolean;
  /** The caller gave up before the end, which is no failure. */
  aborted?: boolean;
  error?: string;
  error_class?: string;
  stop_reason?: string;
  input_tokens?: number;
  output_tokens?: number;
  total_tokens?: number;
  reasoning_tokens?: number;
  cache_read_tokens?: number;
  cache_write_tokens?: number;
  cache_write_1h_tokens?: number;
  usage_semantics?: 'exclusive' | 'inclusive';
  /** The provider's own usage object, unchanged, instead of the token fields. */
  usage?: object;
  service_tier?: string;
  web_searches?: number;
  /** In US dollars. */
  cost?: number;
  environment?: string;
  release?: string;
  session_id?: string;
  user_id?: string;
  tags?: readonly string[];
  attributes?: Record<string, unknown>;
  events?: readonly { name: string; at?: string; attributes?: Record<string, unknown> }[];
}
