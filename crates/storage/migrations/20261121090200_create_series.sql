-- Sums that pages read instead of raw steps, and the accounts of what was received.

-- One row per hour and series. A series is (key, environment, step name, model, template); series_id is a hash of
-- those, because a primary key of five nullable texts is none.
create table rollups (
  project_id uuid not null,
  hour timestamptz not null,
  series_id uuid not null,
  key_label text not null,
  environment text,
  step_name text not null,
  model text,
  template_fingerprint bytea,
  calls bigint not null,
  errors bigint not null,
  retries bigint not null,
  unpriced bigint not null,
  input_fresh bigint,
  cache_read bigint,
  cache_write bigint,
  output bigint,
  reasoning bigint,
  cost_nano_usd bigint,
  -- engine::histogram, encoded
  latency_us bytea,
  ttft_us bytea,
  -- {"word": count}
  output_shapes jsonb not null,
  finish_reasons jsonb not null,
  conditions jsonb not null,
  primary key (project_id, hour, series_id)
) partition by range (hour);
create table rollups_default partition of rollups default;

-- Each received step is counted once: outcome 'stored', 'duplicate', or 'rejected' with its reason.
create table ledger (
  project_id uuid not null,
  minute timestamptz not null,
  key_label text not null,
  outcome text not null check (outcome in ('stored', 'duplicate', 'rejected')),
  reason text not null,
  steps bigint not null,
  primary key (project_id, minute, key_label, outcome, reason)
) partition by range (minute);
create table ledger_default partition of ledger default;

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
  source text not null
);
create index prices_project_idx on prices (project_id);
