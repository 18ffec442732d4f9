-- What a project has hidden before anything is stored: engine::redaction::Settings. A project without a row hides nothing.
create table redaction_settings (
  project_id uuid primary key references projects on delete cascade,
  changed_at timestamptz not null,
  changed_by text not null,
  settings jsonb not null
);

-- How many values were hidden, by the day in which their steps were received.
create table redaction_days (
  project_id uuid not null references projects on delete cascade,
  day timestamptz not null,
  -- values
  hidden bigint not null,
  -- steps that had one
  steps bigint not null,
  -- the word of a known kind, or the name of an own pattern
  kind text not null,
  primary key (project_id, day, kind)
);

do $$
declare
  t text;
begin
  foreach t in array array['redaction_settings', 'redaction_days'] loop
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
end
$$;
