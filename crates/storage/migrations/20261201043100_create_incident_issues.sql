-- The issue that was opened on GitHub for an incident, the latest where there are several.
create table incident_issues (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  -- while somebody opens it, so that pressing a button twice opens one
  opening_at timestamptz not null,
  -- the rest is null until it is opened
  opened_at timestamptz,
  opened_by text,
  url text,
  primary key (project_id, incident_id)
);

alter table incident_issues enable row level security;
alter table incident_issues force row level security;
-- As in enable_row_level_security.
create policy in_scope on incident_issues using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
grant select, insert, update, delete on incident_issues to plumbline_app;
