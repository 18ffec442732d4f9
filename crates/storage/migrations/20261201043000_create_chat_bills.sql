-- Pictures of providers' bills that people put into a chat, and what was read of them. A row of an inquiry of that chat.
create table chat_bills (
  project_id uuid not null references projects on delete cascade,
  inquiry_id uuid not null,
  -- null once it was read, or could not be: a picture is kept only for as long as it waits for a model
  picture bytea,
  media_type text not null,
  -- [{"day", "amount_nano_usd"}] as a model read it, then as people corrected it; null before
  lines jsonb,
  -- what the names of the models that it is of begin with, with commas between
  models text not null default '',
  -- what the ledger had beside it, when somebody wanted that
  compared jsonb,
  compared_at timestamptz,
  compared_by text,
  primary key (project_id, inquiry_id),
  foreign key (project_id, inquiry_id) references inquiries on delete cascade
);
-- Those that wait for a model: few at a time.
create index chat_bills_waiting_idx on chat_bills (project_id) where picture is not null;

alter table chat_bills enable row level security;
alter table chat_bills force row level security;
-- As in enable_row_level_security.
create policy in_scope on chat_bills using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
grant select, insert, update, delete on chat_bills to plumbline_app;
