-- Runs that are to be sent as tracing data: written with the steps of a project that wants that, taken away when sent.

create table trace_queue (
  project_id uuid not null,
  -- when it is looked at next; while one is at it, when others may take it from a dead one
  due_at timestamptz not null,
  -- when a step of it came last
  changed_at timestamptz not null,
  attempts int not null default 0,
  run_id text not null,
  primary key (project_id, run_id)
) with (fillfactor = 70);
create index trace_queue_due_idx on trace_queue (project_id, due_at);

-- Until when the receiver wants none, and what it said last.
create table trace_states (
  project_id uuid primary key references projects on delete cascade,
  limited_until timestamptz,
  -- while the receiver is away: other projects come first until then
  retry_at timestamptz,
  last_sent_at timestamptz,
  last_error text
);

-- What became of runs, by day.
create table trace_days (
  project_id uuid not null references projects on delete cascade,
  day timestamptz not null,
  runs bigint not null,
  outcome text not null,
  primary key (project_id, day, outcome)
);

do $$
declare
  t text;
begin
  foreach t in array array['trace_queue', 'trace_states', 'trace_days'] loop
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
