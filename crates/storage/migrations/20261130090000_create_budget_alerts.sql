-- Which budgets were told of in which month, so that each is told once: as used up, and as going to be.
create table budget_alerts (
  project_id uuid not null references projects on delete cascade,
  month_from timestamptz not null,
  told_at timestamptz not null,
  -- one that was raised is another one
  monthly_nano_usd bigint not null,
  trigger text not null,
  -- empty for all of the project
  key_label text not null,
  primary key (project_id, month_from, trigger, key_label, monthly_nano_usd)
);

do $$
declare
  t text;
begin
  foreach t in array array['budget_alerts'] loop
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
