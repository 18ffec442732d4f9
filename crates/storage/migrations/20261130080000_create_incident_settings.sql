-- What a project sets of its incidents: engine::incidents::Settings. A project without a row has the defaults.
create table incident_settings (
  project_id uuid primary key references projects on delete cascade,
  changed_at timestamptz not null,
  changed_by text not null,
  settings jsonb not null
);

alter table incident_settings enable row level security;
alter table incident_settings force row level security;
-- As in enable_row_level_security.
create policy in_scope on incident_settings using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
grant select, insert, update, delete on incident_settings to plumbline_app;
