-- The server's role, and every table. Wide tables have their columns in the order of alignment (8 bytes, 4, 2, 1, then
-- texts), because padding between them is paid for by each row. Indexes end where time does: a row that comes last fills
-- the last page, where an index from new to old would leave every page half empty.

-- Every connection of the server acts as this role, which owns nothing, so that row-level security holds for it.
-- Roles belong to the whole cluster: another database of it may have made this one already, at the same moment.
do $$
begin
  if not exists (select from pg_roles where rolname = 'plumbline_app') then
    create role plumbline_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

-- From Postgres 16 on, whoever made a role may administer it but not act as it until it is granted to them.
do $$
begin
  execute format('grant plumbline_app to %I', current_user);
exception when insufficient_privilege then
  -- Another owner made the role. An administrator may have granted it to this one.
  if not pg_has_role(current_user, 'plumbline_app',
      case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) then
    raise exception 'role plumbline_app exists and % may not act as it', current_user
      using errcode = 'insufficient_privilege',
        hint = format('Let an administrator run: grant plumbline_app to %I', current_user);
  end if;
end $$;

-- Accounts: who may see what. Small tables; ids are UUIDv7 made by the server.

create table projects (
  project_id uuid primary key,
  slug text not null,
  name text not null,
  created_at timestamptz not null,
  -- from then on nothing is accepted for it; a job deletes what it has
  deleted_at timestamptz
);
-- The word of a project that is being deleted is free again.
create unique index projects_slug_key on projects (slug) where deleted_at is null;

create table users (
  user_id uuid primary key,
  email text not null constraint users_email_key unique,
  name text not null,
  password_hash text not null,
  created_at timestamptz not null,
  -- whoever answers for the server: sees the whole audit log; of no project a member by that
  is_instance_admin boolean not null default false
);

create table memberships (
  project_id uuid not null references projects on delete cascade,
  user_id uuid not null references users on delete cascade,
  role text not null check (role in ('viewer', 'member', 'admin')),
  created_at timestamptz not null,
  primary key (project_id, user_id)
);
create index memberships_user_idx on memberships (user_id);

-- The cookie's token is never stored, only its SHA-256.
create table web_sessions (
  token_sha256 bytea primary key,
  -- names the session where its owner ends it
  session_id uuid not null constraint web_sessions_session_id_key unique,
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  -- when it ends unless it is used, never later than ends_at
  expires_at timestamptz not null,
  -- when it ends although it is used
  ends_at timestamptz not null,
  -- as it was when it began
  address text not null,
  browser text not null
);
create index web_sessions_user_idx on web_sessions (user_id);

create table api_keys (
  project_id uuid not null references projects on delete cascade,
  id uuid not null,
  label text not null,
  prefix text not null,
  sha256 bytea not null constraint api_keys_sha256_key unique,
  scopes text[] not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz,
  primary key (project_id, id)
);

create table project_settings (
  project_id uuid primary key references projects on delete cascade,
  -- runs, steps, events, conditions, rollups
  retention_days integer not null default 90 check (retention_days between 1 and 3650),
  -- prompts and outputs
  payload_retention_days integer not null default 30 check (payload_retention_days between 1 and 3650),
  scoring jsonb not null default '{}',
  updated_at timestamptz not null
);

-- Who did what. A row outlives its project, so it refers to nothing and keeps the project's word.
create table audit_log (
  id uuid primary key,
  -- null where it concerns the server and no project: sign-ins, accounts
  project_id uuid,
  project_slug text,
  at timestamptz not null,
  -- a user's e-mail, a key's label, 'command line', 'server', or 'local' on a loopback without accounts
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null default '{}'
);
create index audit_log_project_idx on audit_log (project_id, at, id);
create index audit_log_at_idx on audit_log (at, id);

-- Runs and steps. What belongs to a step has its key in the order of time: ids that lie anywhere among others would leave
-- a third of each page free. Whoever looks for a step takes the times of its run's parts from `runs`.
--
-- Everything is filed under the run's partition_at: the start of whichever step of the run was received
-- first, and for each further day that the run goes on a day more. It never changes, so it can lead partitions, and
-- (project, run, step) stays one identity across them.

-- Which time files the first part of a run. The one table that is not partitioned: its key is what makes a run one run.
create table run_keys (
  project_id uuid not null,
  partition_at timestamptz not null,
  -- a step of it lies where its receipt says and not its start
  filed_by_receipt boolean not null default false,
  run_id text not null,
  primary key (project_id, run_id)
);

-- A run's list with another's items: the first hundred of both, and 'other' for the rest. Any order of merging gives
-- the same list.
create function merge_list(list text[], more text[]) returns text[] language sql immutable parallel safe as $$
  select case when list @> more then list else (
    with items as (select distinct item from unnest(list || more) item where item <> 'other')
    select array(select item from items order by item collate "C" limit 100)
      || case when 'other' = any (list || more) or (select count(*) from items) > 100 then array['other'] else '{}' end
  ) end
$$;

-- One row for each part of a run, which is nearly always one.
create table runs (
  project_id uuid not null,
  partition_at timestamptz not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  last_received_at timestamptz not null,
  -- the name of the earliest top-level step, of the earliest nested one while there is no other; the other name_
  -- columns say whose name it is, so that any order of arrival ends with the same name
  name_at timestamptz not null,
  problem_at timestamptz,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  output bigint,
  reasoning bigint,
  cost_nano_usd bigint,
  score_sum bigint,
  step_count integer not null,
  error_count integer not null,
  unpriced_steps integer not null,
  -- steps whose cost is known; without one the sum is unknown, not 0
  priced_steps integer not null default 0,
  root_count integer not null,
  root_error_count integer not null,
  open_count integer not null,
  score_max integer,
  -- the step that went most wrong, for the list's "what went wrong"
  problem_rank integer not null,
  problem_code smallint,
  severity smallint not null check (severity between 0 and 2),
  name_nested boolean not null,
  -- the run has earlier parts: see ADR 0002
  is_continued boolean not null default false,
  run_id text not null,
  name text not null,
  name_step_id text not null,
  status text not null check (status in ('ok', 'error', 'running')),
  key_label text not null,
  environment text,
  release text,
  session_id text,
  user_id text,
  problem_step_id text,
  problem_step_name text,
  problem_text text,
  tags text[] not null,
  models text[] not null,
  step_names text[] not null,
  -- of `key=value`, for search; null without any
  attribute_hashes integer[],
  primary key (project_id, run_id, partition_at)
) partition by range (partition_at);
-- The list and its keyset; few runs begin at the same moment, so their ids need not be in it. The condition holds always; lists state it, and what looks for one run does not: in a new
-- week, which nobody has counted, this index would look as good as the key for that, and read all of a project's runs.
create index runs_list_idx on runs (project_id, partition_at) where step_count > 0;
-- The same list narrowed to what is wrong: few rows among many.
create index runs_problem_idx on runs (project_id, partition_at) where severity > 0 or status <> 'ok';

-- The order in which steps were scored, over all server processes: what a step is judged against is what arrived
-- before it. The upper bits of `steps.sequence` number the batches, the lower 20 the steps of one. Times can't say it:
-- all steps of a batch are received at once, and clients set the others.
create sequence batches;
-- A sequence that nobody has used says that its last value is the one which the first batch will get.
select setval('batches', 1);

create table steps (
  project_id uuid not null,
  partition_at timestamptz not null,
  started_at timestamptz not null,
  received_at timestamptz not null,
  sequence bigint not null,
  ended_at timestamptz,
  latency_ms double precision,
  ttft_ms double precision,
  max_gap_ms double precision,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  -- the part of cache_write that is kept for an hour
  cache_write_1h bigint,
  output bigint,
  reasoning bigint,
  web_searches bigint,
  cost_nano_usd bigint,
  reported_cost_nano_usd bigint,
  -- of the whole prompt: the same again is a retry or a loop
  prompt_hash bigint,
  step_index integer,
  score integer,
  -- from how many points it was critical when it was scored
  threshold integer,
  severity smallint not null check (severity between 0 and 2),
  stopped_at_layer smallint,
  -- null is false
  stream_incomplete boolean,
  -- the series of the rollups that counts it, when too many values made that another than its own
  other_series uuid,
  run_id text not null,
  step_id text not null,
  parent_step_id text,
  kind text not null
    check (kind in ('llm', 'tool', 'agent', 'chain', 'retrieval', 'embedding', 'guardrail', 'other')),
  name text not null,
  status text not null check (status in ('ok', 'error', 'aborted', 'running')),
  provider text,
  model text,
  request_model text,
  error text,
  error_class text,
  stop_reason text,
  service_tier text,
  usage_semantics text,
  cost_source text check (cost_source in ('computed', 'reported', 'unknown')),
  price_version text,
  key_label text not null,
  environment text,
  release text,
  session_id text,
  user_id text,
  tool_name text,
  output_shape text,
  template_fingerprint bytea,
  attributes jsonb,
  primary key (project_id, partition_at, run_id, step_id)
) partition by range (partition_at);
-- Anomalous steps over time, without reading steps.
create index steps_anomaly_idx on steps (project_id, partition_at) include (severity, key_label, model, name)
  where severity > 0;
-- The latest anomalous steps by when they began, which is not the order of their runs.
create index steps_anomaly_latest_idx on steps (project_id, started_at) where severity > 0;
-- What calls cost by session, whatever runs they belong to; steps without a session cost nothing here.
create index steps_session_idx on steps (project_id, session_id) where session_id is not null;
-- The same by end user.
create index steps_user_idx on steps (project_id, user_id) where user_id is not null;
-- The parts of an hour that rollups can't answer. Steps lie in the order of their arrival, which is nearly that of
-- their start, so summaries of a few pages find an hour at almost no cost to those who write.
create index steps_started_idx on steps using brin (started_at timestamptz_minmax_multi_ops)
  with (pages_per_range = 16, autosummarize = on);
-- Steps whose cost is unknown although their model has a price: their usage was not reported. Few among many; the
-- list of models without a price leaves them out.
create index steps_listed_unknown_idx on steps (project_id, started_at) include (model)
  where cost_source = 'unknown' and price_version is not null;
-- A project's latest steps, and those since a watermark. An index of all steps that begins with the project looks as
-- good as the primary key for finding one step, as long as a partition is new and not analysed. Plans made
-- then are kept: in a new week each batch read all of a project's steps, 1.6 s for 500 steps among 20,000. Only scored
-- steps are asked for by their arrival, and what looks for one step says nothing of its score.
create index steps_sequence_idx on steps (project_id, sequence) where score is not null;

create table step_payloads (
  project_id uuid not null,
  partition_at timestamptz not null,
  run_id text not null,
  step_id text not null,
  input text,
  output text,
  prompt_template text,
  primary key (project_id, partition_at, run_id, step_id)
) partition by range (partition_at);

create table step_events (
  project_id uuid not null,
  partition_at timestamptz not null,
  at timestamptz not null,
  ordinal integer not null,
  run_id text not null,
  step_id text not null,
  name text not null,
  attributes jsonb,
  primary key (project_id, partition_at, run_id, step_id, ordinal)
) partition by range (partition_at);

create table step_conditions (
  project_id uuid not null,
  partition_at timestamptz not null,
  points integer not null,
  rule_version smallint not null,
  code smallint not null,
  layer smallint not null,
  run_id text not null,
  step_id text not null,
  message text not null,
  observed text not null,
  expected text not null,
  place jsonb,
  sample jsonb,
  primary key (project_id, partition_at, run_id, step_id, code)
) partition by range (partition_at);
-- The steps of a rare code.
create index step_conditions_code_idx on step_conditions (project_id, code, partition_at);

-- What people said about a condition. Of a run that is gone it is deleted with the run's key.
create table condition_feedback (
  project_id uuid not null references projects on delete cascade,
  run_id text not null,
  step_id text not null,
  code smallint not null,
  verdict text not null check (verdict in ('real', 'noise')),
  actor text not null,
  at timestamptz not null,
  primary key (project_id, run_id, step_id, code)
);

-- Sums that pages read instead of raw steps, and the ledger of what was received.

-- One row per hour and series. A series is (key, environment, step name, model, template); series_id is a hash of
-- those, because a primary key of five nullable texts is none.
create table rollups (
  project_id uuid not null,
  hour timestamptz not null,
  calls bigint not null,
  errors bigint not null,
  -- steps that are warning or critical
  anomalies bigint not null,
  unpriced bigint not null,
  -- steps whose cost is known; without one the sum is unknown, not 0
  priced bigint not null default 0,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  output bigint,
  reasoning bigint,
  cost_nano_usd bigint,
  series_id uuid not null,
  -- sums of the squares of each step's cost, input (all three buckets) and output: what an interval is made of
  cost_squares numeric not null,
  input_squares numeric not null,
  output_squares numeric not null,
  key_label text not null,
  environment text,
  step_name text not null,
  model text,
  template_fingerprint bytea,
  -- engine::histogram, encoded
  latency_us bytea,
  ttft_us bytea,
  -- {"word": count}
  output_shapes jsonb not null,
  finish_reasons jsonb not null,
  conditions jsonb not null,
  primary key (project_id, hour, series_id)
) partition by range (hour);
-- Which models have no price: few rows among many, asked by every list that shows a cost.
create index rollups_unpriced_idx on rollups (project_id, hour) where unpriced > 0;
-- The few hours in which a series had a condition, and the hours of one step.
create index rollups_conditions_idx on rollups (project_id, hour) where conditions <> '{}';
-- The condition holds always, and keeps the batch writer, whose statements say nothing of the name, to the primary key:
-- as long as nobody has counted a new week, one looks as good as the other.
create index rollups_step_idx on rollups (project_id, step_name, hour) where step_name is not null;

-- Each received step is counted once: as stored, as a duplicate, or with the reason why it was rejected, or stored
-- without a value of its own in a dimension that has too many.
create table ledger (
  project_id uuid not null,
  minute timestamptz not null,
  steps bigint not null,
  key_label text not null,
  outcome text not null check (outcome in ('stored', 'duplicate', 'rejected', 'limited')),
  reason text not null,
  primary key (project_id, minute, key_label, outcome, reason)
) partition by range (minute);

-- The canonical text behind a fingerprint, once.
create table prompt_texts (
  project_id uuid not null,
  fingerprint bytea not null,
  canonical text not null,
  first_seen_at timestamptz not null,
  primary key (project_id, fingerprint)
);

-- Dated prices. Shipped rows have no project; a project's own rows win over them.
create table prices (
  price_id text primary key,
  project_id uuid references projects on delete cascade,
  provider text not null,
  model_match text not null check (model_match in ('exact', 'prefix', 'regex')),
  model text not null,
  valid_from timestamptz not null,
  rates jsonb not null,
  source text not null,
  -- how many tokens fit into the model's context, where the price list says so
  context_window bigint
);
create index prices_project_idx on prices (project_id);
-- A project has one price of its own for a name from a moment on.
create unique index prices_own_key on prices (project_id, provider, model_match, lower(model), valid_from)
  where project_id is not null;

-- Which edition of the shipped prices is in `prices`; one row at most.
create table price_edition (
  is_one boolean primary key default true check (is_one),
  version text not null,
  loaded_at timestamptz not null
);

-- A job is done in chunks, each in a transaction that also says where the next one begins. The chunk's transaction
-- holds the job's row; when its process dies, Postgres lets go of the row and any other process goes on.
create table jobs (
  project_id uuid not null references projects on delete cascade,
  job_id uuid not null,
  kind text not null,
  -- while it is open the project has no other one of its kind
  deduplicated boolean not null,
  arguments jsonb not null,
  state text not null check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  progress_done bigint not null default 0,
  progress_total bigint,
  cursor jsonb,
  -- failures since the last chunk that was done; after so many the job is given up
  attempts integer not null default 0,
  -- and those besides that will pass, such as a full disk, for which no job is given up
  delays integer not null default 0,
  result jsonb,
  error text,
  run_after timestamptz not null,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (project_id, job_id)
);
create index jobs_due_idx on jobs (run_after) where state in ('waiting', 'running');
create unique index jobs_open_key on jobs (project_id, kind)
  where deduplicated and state in ('waiting', 'running');
