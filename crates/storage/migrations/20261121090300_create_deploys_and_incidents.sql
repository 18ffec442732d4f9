-- What shipped, what left its baseline, and which of the former explains the latter.

create table deploys (
  project_id uuid not null references projects on delete cascade,
  deploy_id text not null,
  sha text not null,
  title text,
  pr_number integer,
  author text,
  url text,
  repo text,
  branch text,
  environment text,
  status text,
  started_at timestamptz not null,
  completed_at timestamptz not null,
  received_at timestamptz not null,
  primary key (project_id, deploy_id)
);
create index deploys_completed_idx on deploys (project_id, completed_at desc);
create index deploys_sha_idx on deploys (project_id, sha text_pattern_ops);

create table incidents (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  key_label text not null,
  metric text not null,
  status text not null check (status in ('open', 'closed', 'accepted')),
  opened_at timestamptz not null,
  onset_at timestamptz not null,
  onset_from timestamptz not null,
  onset_to timestamptz not null,
  closed_at timestamptz,
  -- the figures of the onset day, its days, its decomposition
  figures jsonb not null,
  primary key (project_id, incident_id)
);
create index incidents_opened_idx on incidents (project_id, opened_at desc);
create unique index incidents_open_key on incidents (project_id, key_label, metric) where status = 'open';

create table attributions (
  project_id uuid not null,
  incident_id uuid not null,
  deploy_id text not null,
  confidence double precision not null,
  evidence jsonb not null,
  primary key (project_id, incident_id, deploy_id),
  foreign key (project_id, incident_id) references incidents on delete cascade,
  foreign key (project_id, deploy_id) references deploys on delete cascade
);
