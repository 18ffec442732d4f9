-- What came of it when the watcher acted on an incident: the issue on GitHub, or why there is none.
alter table watched_incidents add column issue_url text, add column failure text;

-- Changes that a model proposed for an incident, shown to people before anything leaves, and the pull request that came of it.
create table incident_fixes (
  project_id uuid not null references projects on delete cascade,
  fix_id uuid not null,
  incident_id uuid not null,
  asked_at timestamptz not null,
  -- while somebody opens the pull request, so that it is opened once
  opening_at timestamptz,
  opened_at timestamptz,
  cost_nano_usd bigint,
  asked_by text not null,
  opened_by text,
  model text not null,
  -- the branch that the files were read from
  base_branch text not null,
  branch text,
  pull_url text,
  -- why opening it failed last
  failure text,
  -- title, explanation, and of each file its path, its blob, and its text before and after
  draft jsonb not null,
  primary key (project_id, fix_id)
);
create index incident_fixes_incident_idx on incident_fixes (project_id, incident_id, fix_id desc);

alter table incident_fixes enable row level security;
alter table incident_fixes force row level security;
-- As in enable_row_level_security.
create policy in_scope on incident_fixes using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
grant select, insert, update, delete on incident_fixes to plumbline_app;
