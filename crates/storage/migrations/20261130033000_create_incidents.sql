-- What left its baseline, what caused it, what people said of it, and what is still to be judged.

create table incidents (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  -- when it began: the middle and the interval that holds nine tenths
  onset_at timestamptz not null,
  onset_from timestamptz not null,
  onset_to timestamptz not null,
  -- when it was noticed, and the end of its last hour
  opened_at timestamptz not null,
  last_at timestamptz not null,
  -- when it was closed or became normal, by the judgement
  ended_at timestamptz,
  judged_at timestamptz not null,
  -- what people set it to, which is what counts, and when
  settled_at timestamptz,
  acknowledged_at timestamptz,
  -- how likely the verdict is right
  probability double precision not null,
  -- by the judgement
  status text not null check (status in ('open', 'closed', 'accepted')),
  settled text check (settled in ('closed', 'accepted')),
  -- null where one model moved on all keys at once
  key_label text,
  step_name text,
  metric text not null,
  verdict text not null check (verdict in ('deploy', 'probably', 'no_deploy', 'unclear', 'learning')),
  -- what the verdict names
  deploy_id text,
  release text,
  null_cause text,
  -- what people say caused it: a deploy, or not the one that is named
  answer text check (answer in ('confirmed', 'refused')),
  confirmed_deploy_id text,
  -- engine::incidents::Incident, whole
  judgement jsonb not null,
  primary key (project_id, incident_id)
);
create index incidents_onset_idx on incidents (project_id, onset_at, incident_id);
-- Those that a judgement of later hours may go on with.
create index incidents_last_idx on incidents (project_id, last_at);

-- The candidates of each incident, the likeliest first: what a deploy or a sha is asked for.
create table attributions (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  probability double precision not null,
  place smallint not null,
  -- the rubric's points; null where its window does not contain the deploy
  confidence_points smallint,
  is_cleared boolean not null,
  -- null for a release without a record
  deploy_id text,
  release text,
  sha text not null,
  primary key (project_id, incident_id, place),
  foreign key (project_id, incident_id) references incidents on delete cascade
);
create index attributions_deploy_idx on attributions (project_id, deploy_id) where deploy_id is not null;
create index attributions_sha_idx on attributions (project_id, sha text_pattern_ops);

-- What happened to an incident after it was found, and what people said.
create table incident_events (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  event_id uuid not null,
  at timestamptz not null,
  kind text not null check (kind in ('verdict', 'acknowledged', 'note', 'closed', 'accepted', 'reopened', 'confirmed', 'refused')),
  -- an e-mail, a key's label, 'local' or 'server'
  actor text not null,
  deploy_id text,
  note text,
  primary key (project_id, incident_id, event_id),
  foreign key (project_id, incident_id) references incidents on delete cascade
);

-- What is to be judged again. Whoever changes an hour, a deploy or the settings says from when on in the same transaction;
-- whoever judges takes that over, so that a change while it reads is never lost.
create table incident_judging (
  project_id uuid primary key references projects on delete cascade,
  -- the earliest hour that changed and that nobody has begun to judge
  changed_from timestamptz,
  -- the earliest hour that is being judged; stays when the process dies
  judging_from timestamptz,
  -- who judges, and until when that is believed
  lease uuid,
  leased_until timestamptz,
  -- not before, so that a large project takes its share of time and no more
  not_before timestamptz,
  -- although nothing changes: when the running hour is over
  again_at timestamptz,
  judged_at timestamptz
) with (fillfactor = 50);

-- What is recorded already is judged once.
insert into incident_judging (project_id, changed_from)
select project_id, '1970-01-01 00:00:00+00' from projects where deleted_at is null;

do $$
declare
  t text;
begin
  foreach t in array array['incidents', 'attributions', 'incident_events', 'incident_judging'] loop
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
