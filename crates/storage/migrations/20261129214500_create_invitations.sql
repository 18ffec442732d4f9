-- Links by which people choose their own password. Of each token only the SHA-256 is stored; a row goes when its link was
-- used, taken back or replaced.

create table invitations (
  project_id uuid not null references projects on delete cascade,
  invitation_id uuid not null,
  token_sha256 bytea not null constraint invitations_token_key unique,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  email text not null,
  role text not null check (role in ('viewer', 'member', 'admin')),
  -- who made it: an e-mail, or 'command line'
  invited_by text not null,
  primary key (project_id, invitation_id)
);
-- A new link for an address replaces the one before.
create unique index invitations_email_key on invitations (project_id, email);

alter table invitations enable row level security;
alter table invitations force row level security;
create policy in_scope on invitations using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));

create table password_resets (
  user_id uuid primary key references users on delete cascade,
  token_sha256 bytea not null constraint password_resets_token_key unique,
  created_at timestamptz not null,
  expires_at timestamptz not null
);

grant select, insert, update, delete on invitations, password_resets to plumbline_app;
