-- Detectors judge finished runs, by a rule or by a model, each run once by each version.

create table detectors (
  project_id uuid not null references projects on delete cascade,
  detector_id uuid not null,
  created_at timestamptz not null,
  version_since timestamptz not null,
  -- in nano-dollars; null for none
  daily_cap bigint,
  -- in millionths
  sample int not null,
  version int not null,
  is_enabled boolean not null,
  name text not null,
  definition jsonb not null,
  primary key (project_id, detector_id)
);

-- What each version judged by; the last one is the detector's own.
create table detector_versions (
  project_id uuid not null,
  detector_id uuid not null,
  since timestamptz not null,
  version int not null,
  definition jsonb not null,
  primary key (project_id, detector_id, version),
  foreign key (project_id, detector_id) references detectors on delete cascade
);

-- What became of judgements, by day: what pages read, and what caps are held against.
create table detector_days (
  project_id uuid not null,
  detector_id uuid not null,
  day timestamptz not null,
  judged bigint not null default 0,
  found bigint not null default 0,
  -- the model did not answer in the form it has to
  failed bigint not null default 0,
  -- not judged: the cap of the day, the project's budget
  capped bigint not null default 0,
  refused bigint not null default 0,
  -- answers that were right only when asked again
  retried bigint not null default 0,
  dropped_quotes bigint not null default 0,
  -- in nano-dollars: all of it, and the dearest one
  cost bigint not null default 0,
  dearest bigint not null default 0,
  -- judgements of which no cost is known
  unpriced bigint not null default 0,
  version int not null,
  primary key (project_id, detector_id, version, day),
  foreign key (project_id, detector_id) references detectors on delete cascade
) with (fillfactor = 70);
create index detector_days_day_idx on detector_days (project_id, day);

-- Runs that are to be looked at: written with the steps of a project that has a detector, taken away when that is done.
create table judgement_queue (
  project_id uuid not null,
  -- when it is looked at next; while one is at it, when others may take it from a dead one
  due_at timestamptz not null,
  -- when a step of it came last
  changed_at timestamptz not null,
  run_id text not null,
  primary key (project_id, run_id)
) with (fillfactor = 70);
create index judgement_queue_due_idx on judgement_queue (due_at);

-- Which runs a version has judged: none of them twice.
create table judgements (
  project_id uuid not null,
  detector_id uuid not null,
  at timestamptz not null,
  version int not null,
  state text not null check (state in ('judging', 'clear', 'found', 'failed', 'capped', 'refused')),
  run_id text not null,
  -- why it was not judged
  reason text,
  primary key (project_id, run_id, detector_id, version)
);

create table findings (
  project_id uuid not null,
  finding_id uuid not null,
  detector_id uuid not null,
  created_at timestamptz not null,
  marked_at timestamptz,
  -- in nano-dollars
  cost bigint,
  version int not null,
  dropped_quotes int not null,
  run_id text not null,
  summary text not null,
  model text,
  -- the run of ours in which the judgement is recorded
  judged_in text,
  verdict text check (verdict in ('real', 'noise')),
  marked_by text,
  data jsonb not null,
  evidence jsonb not null,
  primary key (project_id, finding_id)
);
create unique index findings_run_key on findings (project_id, run_id, detector_id, version);
create index findings_created_idx on findings (project_id, created_at);
create index findings_detector_idx on findings (project_id, detector_id, finding_id desc);

do $$
declare
  t text;
begin
  foreach t in array array['detectors', 'detector_versions', 'detector_days', 'judgement_queue', 'judgements', 'findings'] loop
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
