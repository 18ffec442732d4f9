-- Defence in depth between projects. Each transaction says which projects it acts for; without saying so it sees
-- and writes nothing. 'all' is for sign-in and maintenance, which look across projects by nature.

do $$
declare
  t text;
begin
  for t in
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id' and not a.attisdropped
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    -- The sub-selects are evaluated once per statement, not once per row.
    execute format(
      'create policy in_scope on %I using (
         (select current_setting(''plumbline.scope'', true)) = ''all''
         or project_id = any ((select string_to_array(nullif(current_setting(''plumbline.scope'', true), ''all''), '',''))::uuid[]))',
      t);
  end loop;
end $$;

-- A project sees the shipped prices and writes none of them.
create policy shipped_are_seen on prices for select using (project_id is null);

-- Partitions get no grant: the server reaches their rows through the parent, where the policy is.
do $$
declare
  t text;
begin
  for t in
    select c.relname from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not in ('_sqlx_migrations', 'partitioned_tables')
  loop
    execute format('grant select, insert, update, delete on %I to plumbline_app', t);
  end loop;
end $$;
grant select on partitioned_tables to plumbline_app;
-- What was written down stays: retention deletes it, as the owner.
revoke update, delete on audit_log from plumbline_app;
grant usage, select on sequence batches to plumbline_app;
grant usage on schema public to plumbline_app;
