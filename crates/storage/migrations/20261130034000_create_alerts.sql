-- Alerts: what is worth telling, written in the transaction that caused it and delivered afterwards by whichever process
-- is free. One row is one message to one channel.

create table alerts (
  project_id uuid not null,
  -- the idempotency key: the same on every attempt
  alert_id uuid not null,
  created_at timestamptz not null,
  -- when the last thing happened that it speaks for
  last_at timestamptz not null,
  -- when it may be delivered
  due_at timestamptz not null,
  done_at timestamptz,
  -- of how many occurrences it speaks
  occurrences bigint not null,
  attempts int not null default 0,
  -- 0 ok, 1 warning, 2 critical
  severity smallint not null,
  -- what comes meanwhile is counted in it; until somebody delivers it, from when on it stays as it is
  is_open boolean not null,
  trigger text not null,
  -- the kind of the integration
  channel text not null,
  -- what is coalesced: a step's name
  group_key text not null,
  state text not null check (state in ('waiting', 'delivered', 'failed', 'dropped')),
  summary text not null,
  -- what was answered last
  answer text,
  subject jsonb not null,
  content jsonb not null,
  primary key (project_id, alert_id)
);
create unique index alerts_open_key on alerts (project_id, trigger, channel, group_key) where is_open;
create index alerts_waiting_idx on alerts (project_id, channel, due_at) where state = 'waiting';
create index alerts_created_idx on alerts (project_id, created_at desc, alert_id desc);
create index alerts_done_idx on alerts (done_at) where done_at is not null;

-- Until when a trigger is quiet about something, by channel.
create table alert_groups (
  project_id uuid not null,
  -- when it last spoke
  fired_at timestamptz not null,
  quiet_until timestamptz not null,
  quiet_s int not null,
  trigger text not null,
  channel text not null,
  group_key text not null,
  primary key (project_id, trigger, channel, group_key)
);
create index alert_groups_quiet_idx on alert_groups (quiet_until);

-- Each attempt to deliver one, with the true answer.
create table alert_attempts (
  project_id uuid not null,
  alert_id uuid not null,
  nth int not null,
  latency_ms int not null,
  at timestamptz not null,
  answer text not null,
  primary key (project_id, alert_id, nth)
);

-- Which triggers speak, to whom and when. Without a row: the defaults.
create table alert_settings (
  project_id uuid primary key references projects on delete cascade,
  updated_at timestamptz not null,
  settings jsonb not null
);

alter table integrations
  -- the receiver answered that it is no use trying again; setting it up anew, later than this, lets it go on
  add column stopped_at timestamptz,
  -- messages since the hour began that is being counted
  add column hour_began_at timestamptz,
  add column hour_messages int not null default 0;

do $$
declare
  t text;
begin
  foreach t in array array['alerts', 'alert_groups', 'alert_attempts', 'alert_settings'] loop
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
