-- What the keys of one label may use in a minute and in a month. Null is no limit.
create table key_limits (
  project_id uuid not null references projects on delete cascade,
  minute_requests bigint check (minute_requests > 0),
  minute_tokens bigint check (minute_tokens > 0),
  minute_nano_usd bigint check (minute_nano_usd > 0),
  month_requests bigint check (month_requests > 0),
  month_tokens bigint check (month_tokens > 0),
  month_nano_usd bigint check (month_nano_usd > 0),
  key_label text not null,
  primary key (project_id, key_label)
);

-- What they used in the current period of each kind, over all processes.
create table key_usage (
  project_id uuid not null,
  starts_at timestamptz not null,
  requests bigint not null,
  tokens bigint not null,
  nano_usd bigint not null,
  period text not null check (period in ('minute', 'month')),
  key_label text not null,
  primary key (project_id, key_label, period),
  foreign key (project_id, key_label) references key_limits on delete cascade
);

do $$
declare
  t text;
begin
  foreach t in array array['key_limits', 'key_usage'] loop
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
