-- What shipped, and what calls did by the release that they said they ran.

create table deploys (
  project_id uuid not null references projects on delete cascade,
  -- the sender's, else made of sha and environment
  deploy_id text not null,
  -- lower case, at least seven digits
  sha text not null,
  status text not null check (status in ('in_progress', 'success', 'failure', 'cancelled')),
  title text,
  pr_number bigint,
  author text,
  url text,
  environment text,
  repo text,
  branch text,
  started_at timestamptz,
  completed_at timestamptz,
  -- when it was first heard of
  received_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (project_id, deploy_id)
);
create index deploys_rollout_idx on deploys (project_id, (coalesce(completed_at, started_at, received_at)), deploy_id);
create index deploys_sha_idx on deploys (project_id, sha text_pattern_ops);

-- Calls by the hour and what they ran, kept for two weeks: what tells an old release from a new one while both run.
-- Kept by the batch writer and by re-pricing. A release joins its deploy when it is read, by the beginning of its sha,
-- so that either may come first.
create table release_hours (
  project_id uuid not null,
  hour timestamptz not null,
  calls bigint not null,
  errors bigint not null,
  unpriced bigint not null,
  -- calls with a known cost, input, output and latency
  priced bigint not null,
  metered_input bigint not null,
  metered_output bigint not null,
  timed bigint not null,
  -- numeric: the sum of what fits into a bigint may not
  input numeric not null,
  output numeric not null,
  latency_us numeric not null,
  cost_nano_usd numeric not null,
  cost_squares numeric not null,
  release text not null,
  key_label text not null,
  step_name text not null,
  model text,
  unique nulls not distinct (project_id, hour, release, key_label, step_name, model)
) partition by range (hour);
create table release_hours_default partition of release_hours default with (fillfactor = 85);
insert into partitioned_tables (table_name, time_column) values ('release_hours', 'hour');

-- When calls first named a model, a step or a release. Of templates `prompt_texts` says it. When one was last named, the
-- hourly sums say.
create table first_seen (
  project_id uuid not null,
  at timestamptz not null,
  dimension text not null check (dimension in ('model', 'step', 'release')),
  value text not null,
  primary key (project_id, dimension, value)
);
create index first_seen_at_idx on first_seen (project_id, at);

do $$
declare
  t text;
begin
  foreach t in array array['deploys', 'release_hours', 'first_seen'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    -- As in enable_row_level_security.
    execute format(
      'create policy in_scope on %I using (
         (select current_setting(''plumbline.scope'', true)) = ''all''
         or project_id = any ((select string_to_array(nullif(current_setting(''plumbline.scope'', true), ''all''), '',''))::uuid[]))',
      t);
    execute format('grant select, insert, update, delete on %I to plumbline_app', t);
  end loop;
end $$;
