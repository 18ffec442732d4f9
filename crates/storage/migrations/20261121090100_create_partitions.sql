-- Weekly partitions, Monday to Monday in UTC. Rows outside every week stay in the default partition and are found
-- like any other; when their week is made, they move.

create table partitioned_tables (
  table_name text primary key,
  time_column text not null
);
insert into partitioned_tables (table_name, time_column) values
  ('runs', 'partition_at'),
  ('run_counts', 'hour'),
  ('steps', 'partition_at'),
  ('step_payloads', 'partition_at'),
  ('step_events', 'partition_at'),
  ('step_conditions', 'partition_at'),
  ('rollups', 'hour'),
  ('rollup_days', 'day'),
  ('condition_days', 'day'),
  ('ledger', 'minute');

create table runs_default partition of runs default;
create table run_counts_default partition of run_counts default with (fillfactor = 85);
create table steps_default partition of steps default;
create table step_payloads_default partition of step_payloads default with (toast_tuple_target = 256);
create table step_events_default partition of step_events default;
create table step_conditions_default partition of step_conditions default;
create table rollups_default partition of rollups default;
create table rollup_days_default partition of rollup_days default with (fillfactor = 85);
create table condition_days_default partition of condition_days default with (fillfactor = 85);
create table ledger_default partition of ledger default;

create function create_week_partition(parent text, time_column text, week date) returns boolean
language plpgsql as $$
declare
  child text := parent || '_' || to_char(week, 'IYYY"w"IW');
  lower_bound timestamptz := week::timestamp at time zone 'UTC';
  upper_bound timestamptz := (week + 7)::timestamp at time zone 'UTC';
begin
  if to_regclass(child) is not null then
    return false;
  end if;
  -- No transaction may file a row of this week under the default between the move and the attachment.
  execute format('lock table %I in access exclusive mode', parent || '_default');
  -- Another process may have made it while this one waited.
  if to_regclass(child) is not null then
    return false;
  end if;
  execute format('create table %I (like %I including defaults including constraints)', child, parent);
  if parent = 'step_payloads' then
    execute format('alter table %I set (toast_tuple_target = 256)', child);
  elsif parent in ('run_counts', 'rollup_days', 'release_hours', 'condition_days') then
    -- room for the totals to be updated in place
    execute format('alter table %I set (fillfactor = 85)', child);
  end if;
  execute format(
    'with moved as (delete from %I where %I >= $1 and %I < $2 returning *) insert into %I select * from moved',
    parent || '_default', time_column, time_column, child) using lower_bound, upper_bound;
  execute format('alter table %I attach partition %I for values from (%L) to (%L)',
    parent, child, lower_bound, upper_bound);
  return true;
end $$;

-- The weekly partitions of a table and the instant each ends at.
create function week_partitions(parent text) returns table (child text, ends_at timestamptz)
language sql stable as $$
  select c.relname::text,
    (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  where i.inhparent = to_regclass(parent) and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
$$;
