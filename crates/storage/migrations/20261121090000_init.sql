-- Accounts: who may see what. Small tables; ids are UUIDv7 made by the server.

-- Every connection of the server acts as this role, which owns nothing, so that row-level security holds for it.
-- Roles belong to the whole cluster: another database of it may have made this one already, at the same moment.
do $$
begin
  if not exists (select from pg_roles where rolname = 'plumbline_app') then
    create role plumbline_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;

do $$
begin
  if not pg_has_role(current_user, 'plumbline_app', 'member') then
    execute format('grant plumbline_app to %I', current_user);
  end if;
end $$;

create table projects (
  project_id uuid primary key,
  slug text not null constraint projects_slug_key unique,
  name text not null,
  created_at timestamptz not null
);

create table users (
  user_id uuid primary key,
  email text not null constraint users_email_key unique,
  name text not null,
  password_hash text not null,
  created_at timestamptz not null
);

create table memberships (
  project_id uuid not null references projects on delete cascade,
  user_id uuid not null references users on delete cascade,
  role text not null check (role in ('viewer', 'member', 'admin')),
  created_at timestamptz not null,
  primary key (project_id, user_id)
);
create index memberships_user_idx on memberships (user_id);

-- The cookie's token is never stored, only its SHA-256.
create table web_sessions (
  token_sha256 bytea primary key,
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null
);
create index web_sessions_user_idx on web_sessions (user_id);

create table api_keys (
  project_id uuid not null references projects on delete cascade,
  id uuid not null,
  label text not null,
  prefix text not null,
  sha256 bytea not null constraint api_keys_sha256_key unique,
  scopes text[] not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz,
  primary key (project_id, id)
);

create table project_settings (
  project_id uuid primary key references projects on delete cascade,
  -- runs, steps, events, conditions, rollups
  retention_days integer not null default 90 check (retention_days between 1 and 3650),
  -- prompts and outputs
  payload_retention_days integer not null default 30 check (payload_retention_days between 1 and 3650),
  scoring jsonb not null default '{}',
  updated_at timestamptz not null
);

create table audit_log (
  project_id uuid not null references projects on delete cascade,
  id uuid not null,
  at timestamptz not null,
  -- a user's e-mail, a key's label, or 'local' on a loopback without accounts
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null default '{}',
  primary key (project_id, id)
);
create index audit_log_at_idx on audit_log (project_id, at desc);
