-- What projects are connected to: GitHub, from which deploys come. Secrets lie encrypted beside it.

create table integrations (
  project_id uuid not null references projects on delete cascade,
  kind text not null,
  -- what it is connected to, in lower case: a repository. By it a webhook finds its projects
  remote text not null,
  -- what is set, but for the secrets
  options jsonb not null,
  paused_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- when it is asked next, by whichever process is free; while one is at it, when others may take it from a dead one
  due_at timestamptz not null,
  -- who is at it
  claim uuid,
  -- where the next sync goes on
  cursor jsonb not null,
  last_attempt_at timestamptz,
  last_ok_at timestamptz,
  -- why the last attempt failed, for people
  last_error text,
  -- attempts in a row that failed
  failures int not null default 0,
  -- what the last webhook said
  last_event_at timestamptz,
  last_event text,
  primary key (project_id, kind)
);
create index integrations_remote_idx on integrations (kind, remote, created_at);
create index integrations_due_idx on integrations (kind, due_at) where paused_at is null;

create table integration_secrets (
  project_id uuid not null references projects on delete cascade,
  kind text not null,
  name text not null,
  -- with a key that is not in the database, bound to project, kind and name
  sealed bytea not null,
  -- the last characters, for people
  shown text,
  set_at timestamptz not null,
  primary key (project_id, kind, name)
);

-- Webhooks that were heard, so that one that is sent again is heard once. Kept for a week.
create table webhook_deliveries (
  project_id uuid not null references projects on delete cascade,
  received_at timestamptz not null,
  kind text not null,
  delivery_id text not null,
  primary key (project_id, kind, delivery_id)
);
create index webhook_deliveries_received_idx on webhook_deliveries (project_id, received_at);

-- Which pull request a commit came with, as GitHub said; a row without one where it named none.
create table commit_pulls (
  project_id uuid not null references projects on delete cascade,
  remote text not null,
  sha text not null,
  pr_number bigint,
  title text,
  author text,
  url text,
  asked_at timestamptz not null,
  primary key (project_id, remote, sha)
);

-- Those that a sync still asks about: a few among many.
create index deploys_open_idx on deploys (project_id, (coalesce(completed_at, started_at, received_at)))
  where status = 'in_progress';

do $$
declare
  t text;
begin
  foreach t in array array['integrations', 'integration_secrets', 'webhook_deliveries', 'commit_pulls'] loop
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
