-- Sign-in with an OpenID Connect provider: who is which account, which memberships groups gave, and which sessions the
-- provider may end.

create table openid_identities (
  issuer text not null,
  -- the provider's own name of the person, which is never given to anybody else
  subject text not null,
  user_id uuid not null references users on delete cascade,
  created_at timestamptz not null,
  last_sign_in_at timestamptz not null,
  primary key (issuer, subject)
);
create index openid_identities_user_idx on openid_identities (user_id);

-- Sign-ins that were completed, until nothing can be done with them again.
create table openid_states (
  state_sha256 bytea primary key,
  expires_at timestamptz not null
);

grant select, insert, update, delete on openid_identities, openid_states to plumbline_app;

-- Until when the next sign-in with the account's address is linked to it.
alter table users add column openid_link_until timestamptz;

-- Given by a group, and taken away with it.
alter table memberships add column from_openid boolean not null default false;

-- Of sessions that began at a provider: what names them there, and the sealed token that ends them there.
alter table web_sessions add column openid_issuer text;
alter table web_sessions add column openid_subject text;
alter table web_sessions add column openid_sid text;
alter table web_sessions add column openid_id_token bytea;
