-- Work that leaves the transaction which caused it: written with it, done afterwards, at least once.

create table integrations (
  project_id uuid not null references projects on delete cascade,
  kind text not null check (kind in ('slack', 'sentry', 'email', 'webhook', 'github')),
  -- AES-256-GCM; the last four characters are kept apart so that a page can show them
  secret bytea,
  secret_last4 text,
  options jsonb not null default '{}',
  state text not null check (state in ('ok', 'failing', 'paused')),
  last_error text,
  last_ok_at timestamptz,
  updated_at timestamptz not null,
  primary key (project_id, kind)
);

create table alert_outbox (
  project_id uuid not null references projects on delete cascade,
  alert_id uuid not null,
  kind text not null,
  -- one idempotency key per alert: a retry never becomes a second message
  dedupe_key text not null,
  subject jsonb not null,
  state text not null check (state in ('waiting', 'delivered', 'failed', 'dropped')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  answer text,
  created_at timestamptz not null,
  done_at timestamptz,
  primary key (project_id, alert_id),
  constraint alert_outbox_dedupe_key unique (project_id, kind, dedupe_key)
);
create index alert_outbox_waiting_idx on alert_outbox (next_attempt_at) where state = 'waiting';

create table jobs (
  project_id uuid not null references projects on delete cascade,
  job_id uuid not null,
  kind text not null,
  arguments jsonb not null,
  state text not null check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
  progress_done bigint not null default 0,
  progress_total bigint,
  result jsonb,
  error text,
  run_after timestamptz not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  primary key (project_id, job_id)
);
create index jobs_waiting_idx on jobs (run_after) where state = 'waiting';
