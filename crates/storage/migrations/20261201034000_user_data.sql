-- How long sums of hours and days are kept; null is as long as runs. Never shorter than those.
alter table project_settings add column rollup_retention_days integer;

-- Deletions of all data of one end user: the receipts, which stay.
create table user_deletions (
  project_id uuid not null references projects on delete cascade,
  job_id uuid not null,
  requested_at timestamptz not null,
  finished_at timestamptz,
  requested_by text not null,
  -- of the id in UTF-8, 64 hexadecimal digits
  user_sha256 text not null,
  -- null when all is gone: the receipt does not say it
  user_id text,
  -- how many went, by table
  rows jsonb not null default '{}',
  primary key (project_id, job_id)
);
create index user_deletions_user_idx on user_deletions (project_id, user_sha256);

-- Which limits of keys were told of in which month, so that each share of each is told once.
create table key_limit_alerts (
  project_id uuid not null references projects on delete cascade,
  month_from timestamptz not null,
  told_at timestamptz not null,
  -- one that was changed is another one: requests, tokens, or nano-dollars
  most bigint not null,
  percent smallint not null,
  measure text not null,
  key_label text not null,
  primary key (project_id, month_from, key_label, measure, most, percent)
);

do $$
declare
  t text;
begin
  foreach t in array array['user_deletions', 'key_limit_alerts'] loop
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
