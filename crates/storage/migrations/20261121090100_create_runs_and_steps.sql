-- Runs and steps. Everything is filed under the run's run_at: the start of whichever step of the run was received
-- first. It never changes, so it can lead partitions, and (project, run, step) stays one identity across them.

-- Which time files a run. The one table that is not partitioned: its key is what makes a run one run.
create table run_keys (
  project_id uuid not null,
  run_id text not null,
  run_at timestamptz not null,
  primary key (project_id, run_id)
);

create table runs (
  project_id uuid not null,
  run_id text not null,
  run_at timestamptz not null,
  -- the name of the earliest top-level step, of the earliest nested one while there is no other; the three columns
  -- behind it say whose name it is, so that any order of arrival ends with the same name
  name text not null,
  name_nested boolean not null,
  name_at timestamptz not null,
  name_step_id text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  last_received_at timestamptz not null,
  status text not null,
  root_count integer not null,
  root_error_count integer not null,
  open_count integer not null,
  key_label text not null,
  environment text,
  release text,
  session_id text,
  user_id text,
  tags text[] not null,
  models text[] not null,
  step_names text[] not null,
  step_count integer not null,
  error_count integer not null,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  output bigint,
  reasoning bigint,
  cost_nano_usd bigint,
  unpriced_steps integer not null,
  score_max integer,
  score_sum integer,
  severity smallint not null,
  -- the step that went most wrong, for the list's "what went wrong"
  problem_rank integer not null,
  problem_at timestamptz,
  problem_step_id text,
  problem_step_name text,
  problem_code smallint,
  problem_text text,
  primary key (project_id, run_id, run_at)
) partition by range (run_at);
-- The list and its keyset.
create index runs_list_idx on runs (project_id, run_at desc, run_id desc);
-- The same list narrowed to what is wrong: few rows among many.
create index runs_problem_idx on runs (project_id, run_at desc, run_id desc) where severity > 0 or status <> 'ok';
create index runs_session_idx on runs (project_id, session_id, run_at desc) where session_id is not null;
create index runs_user_idx on runs (project_id, user_id, run_at desc) where user_id is not null;
create table runs_default partition of runs default;

create table steps (
  project_id uuid not null,
  run_id text not null,
  step_id text not null,
  run_at timestamptz not null,
  parent_step_id text,
  kind text not null,
  name text not null,
  step_index integer,
  provider text,
  model text,
  request_model text,
  started_at timestamptz not null,
  ended_at timestamptz,
  received_at timestamptz not null,
  latency_ms double precision,
  ttft_ms double precision,
  status text not null,
  error text,
  stop_reason text,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  output bigint,
  reasoning bigint,
  usage_semantics text,
  cost_nano_usd bigint,
  reported_cost_nano_usd bigint,
  cost_source text,
  price_version text,
  key_label text not null,
  environment text,
  release text,
  deploy_id text,
  session_id text,
  user_id text,
  tool_name text,
  prompt_fingerprint bytea,
  template_fingerprint bytea,
  output_shape text,
  score integer,
  severity smallint not null,
  stopped_at_layer smallint,
  attributes jsonb,
  primary key (project_id, run_id, step_id, run_at)
) partition by range (run_at);
create index steps_anomaly_idx on steps (project_id, run_at desc) where severity > 0;
create table steps_default partition of steps default;

create table step_payloads (
  project_id uuid not null,
  run_id text not null,
  step_id text not null,
  run_at timestamptz not null,
  input text,
  output text,
  prompt_template text,
  primary key (project_id, run_id, step_id, run_at)
) partition by range (run_at);
create table step_payloads_default partition of step_payloads default with (toast_tuple_target = 256);

create table step_events (
  project_id uuid not null,
  run_id text not null,
  step_id text not null,
  run_at timestamptz not null,
  ordinal integer not null,
  at timestamptz not null,
  name text not null,
  attributes jsonb,
  primary key (project_id, run_id, step_id, ordinal, run_at)
) partition by range (run_at);
create table step_events_default partition of step_events default;

create table step_conditions (
  project_id uuid not null,
  run_id text not null,
  step_id text not null,
  run_at timestamptz not null,
  code smallint not null,
  layer smallint not null,
  points integer not null,
  message text not null,
  observed text not null,
  expected text not null,
  place jsonb,
  sample jsonb,
  rule_version integer not null,
  primary key (project_id, run_id, step_id, code, run_at)
) partition by range (run_at);
create index step_conditions_code_idx on step_conditions (project_id, code, run_at desc);
create table step_conditions_default partition of step_conditions default;

-- What people said about a condition; read beside the conditions, so it is filed like them.
create table condition_feedback (
  project_id uuid not null,
  run_id text not null,
  step_id text not null,
  code smallint not null,
  verdict text not null check (verdict in ('real', 'noise')),
  actor text not null,
  at timestamptz not null,
  primary key (project_id, run_id, step_id, code)
);
