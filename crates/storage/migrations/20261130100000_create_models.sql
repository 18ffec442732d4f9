-- The models that Plumbline itself asks with a project's own keys, what that costs, and the analyses they wrote.

-- A project without a row has no budget and the usual limit of a request.
create table model_settings (
  project_id uuid primary key references projects on delete cascade,
  -- what all calls of a month may cost; null is no limit. Its row is held while a call is reserved
  budget_nano_usd bigint,
  max_request_bytes int not null
);

create table model_providers (
  project_id uuid not null references projects on delete cascade,
  -- a word that whoever set it up chose
  provider_id text not null,
  kind text not null,
  -- null is the kind's own address
  base_url text,
  -- with a key that is not in the database, bound to project and provider; null where none is needed
  sealed_key bytea,
  -- its last characters, for people
  key_shown text,
  key_set_at timestamptz,
  key_set_by text,
  -- what the last test was answered
  tested_at timestamptz,
  tested jsonb,
  primary key (project_id, provider_id)
);

create table model_uses (
  project_id uuid not null references projects on delete cascade,
  feature text not null,
  provider_id text not null,
  model text not null,
  primary key (project_id, feature),
  foreign key (project_id, provider_id) references model_providers on delete cascade
);

-- What calls of a month came to. month is YYYY-MM in UTC.
create table model_usage (
  project_id uuid not null references projects on delete cascade,
  month text not null,
  feature text not null,
  provider_id text not null,
  model text not null,
  calls bigint not null default 0,
  failed bigint not null default 0,
  -- the budget left no room for them
  not_made bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_nano_usd bigint not null default 0,
  -- calls whose cost is unknown; they are in none of the sums of money
  unpriced_calls bigint not null default 0,
  -- null before the first that was made
  last_call_at timestamptz,
  primary key (project_id, month, feature, provider_id, model)
);

-- Calls under way, by the most they may cost. One whose process died stays and counts as spent.
create table model_reservations (
  project_id uuid not null references projects on delete cascade,
  call_id uuid not null,
  month text not null,
  nano_usd bigint not null,
  made_at timestamptz not null,
  primary key (project_id, call_id)
);

create table analyses (
  project_id uuid not null references projects on delete cascade,
  analysis_id uuid not null,
  run_id text not null,
  state text not null,
  requested_by text not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  -- who works at it, and until when nobody else does
  claim uuid,
  claimed_until timestamptz,
  attempts int not null default 0,
  model text,
  -- what it says
  report jsonb,
  -- why it says nothing, for people
  error text,
  cost_nano_usd bigint,
  primary key (project_id, analysis_id)
);
create index analyses_run_idx on analyses (project_id, run_id, created_at desc);
create unique index analyses_open_idx on analyses (project_id, run_id) where state in ('queued', 'running');
create index analyses_due_idx on analyses (created_at) where state in ('queued', 'running');

do $$
declare
  t text;
begin
  foreach t in array array['model_settings', 'model_providers', 'model_uses', 'model_usage', 'model_reservations', 'analyses'] loop
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
