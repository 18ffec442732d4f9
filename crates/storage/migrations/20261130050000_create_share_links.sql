-- Links that show one run to people without an account. Of each token only the SHA-256 is stored; a row stays when its
-- link was taken back, so that lists can tell.

create table share_links (
  project_id uuid not null references projects on delete cascade,
  share_id uuid not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  last_opened_at timestamptz,
  open_count bigint not null default 0,
  leaves_out_people boolean not null,
  leaves_out_key boolean not null,
  token_sha256 bytea not null constraint share_links_token_key unique check (octet_length(token_sha256) = 32),
  run_id text not null,
  content text not null check (content in ('shown', 'masked', 'removed')),
  -- who made it: an e-mail, a key's label, or 'local'
  created_by text not null,
  primary key (project_id, share_id)
);
create index share_links_run_idx on share_links (project_id, run_id, created_at desc);
create index share_links_created_idx on share_links (project_id, created_at desc, share_id desc);

alter table share_links enable row level security;
alter table share_links force row level security;
create policy in_scope on share_links using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));

grant select, insert, update, delete on share_links to plumbline_app;
