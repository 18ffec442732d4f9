-- Questions that a model answers with look-ups in the ledger: the investigation of an incident, or a message of a chat.

create table chats (
  project_id uuid not null references projects on delete cascade,
  chat_id uuid not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  created_by text not null,
  -- the path of the page that it was begun on, without the project
  page text not null,
  -- the beginning of the first question
  title text not null default '',
  primary key (project_id, chat_id)
);
create index chats_updated_idx on chats (project_id, updated_at desc);

create table inquiries (
  project_id uuid not null references projects on delete cascade,
  inquiry_id uuid not null,
  asked_at timestamptz not null,
  asked_by text not null,
  -- one of the two
  incident_id uuid,
  chat_id uuid,
  -- of a chat
  question text,
  -- queued, running, done, failed, refused
  state text not null,
  -- how often somebody has begun to work at it
  attempts int not null default 0,
  -- who works at it, and when others may take it from a dead one
  lease uuid,
  leased_until timestamptz,
  finished_at timestamptz,
  -- the model that answered last
  model text,
  -- of the calls whose cost is known
  cost_nano_usd bigint,
  primary key (project_id, inquiry_id),
  foreign key (project_id, chat_id) references chats on delete cascade,
  check (num_nonnulls(incident_id, chat_id) = 1)
);
create index inquiries_incident_idx on inquiries (project_id, incident_id, asked_at desc) where incident_id is not null;
create index inquiries_chat_idx on inquiries (project_id, chat_id, asked_at) where chat_id is not null;
-- Those that somebody has to work at.
create index inquiries_due_idx on inquiries (asked_at) where state in ('queued', 'running');
-- One investigation of an incident at a time.
create unique index inquiries_open_idx on inquiries (project_id, incident_id)
  where incident_id is not null and state in ('queued', 'running');

-- What happened, as it happens: from these a late reader gets all of it, and a restarted server goes on.
create table inquiry_events (
  project_id uuid not null references projects on delete cascade,
  inquiry_id uuid not null,
  seq int not null,
  at timestamptz not null,
  -- tool, text, verdict, error
  kind text not null,
  data jsonb not null,
  primary key (project_id, inquiry_id, seq),
  foreign key (project_id, inquiry_id) references inquiries on delete cascade
);

-- What a project's watcher does by itself. A project without a row has none.
create table watchers (
  project_id uuid primary key references projects on delete cascade,
  changed_at timestamptz not null,
  changed_by text not null,
  -- when it looks next, by whichever process is free
  due_at timestamptz not null,
  is_on boolean not null,
  interval_min int not null,
  -- by severity what is done: log, issue
  actions jsonb not null
);
create index watchers_due_idx on watchers (due_at) where is_on;

-- The incidents that a watcher acted on, each once.
create table watched_incidents (
  project_id uuid not null references projects on delete cascade,
  incident_id uuid not null,
  at timestamptz not null,
  severity text not null,
  action text not null,
  primary key (project_id, incident_id)
);

do $$
declare
  t text;
begin
  foreach t in array array['chats', 'inquiries', 'inquiry_events', 'watchers', 'watched_incidents'] loop
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
