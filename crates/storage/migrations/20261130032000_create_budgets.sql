-- What a project, or the calls of one key, may cost in a month.
create table budgets (
  project_id uuid not null references projects on delete cascade,
  monthly_nano_usd bigint not null check (monthly_nano_usd > 0),
  -- empty for all of the project
  key_label text not null,
  primary key (project_id, key_label)
);

-- Which runs are made up, so that exactly these can be taken away again.
create table demo_runs (
  project_id uuid not null references projects on delete cascade,
  run_id text not null,
  primary key (project_id, run_id)
);

do $$
declare
  t text;
begin
  foreach t in array array['budgets', 'demo_runs'] loop
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
