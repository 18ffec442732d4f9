-- Texts of steps that are sealed before they are stored, with a key per project. The key is stored sealed with one that
-- is not in the database: see ADR 11.

-- A project without a row has never sealed anything. The key stays when sealing is switched off: what was sealed is read
-- with it.
create table payload_keys (
  project_id uuid primary key references projects on delete cascade,
  changed_at timestamptz not null,
  -- whether new steps are sealed
  is_on boolean not null,
  changed_by text not null,
  sealed_key bytea not null
);

alter table payload_keys enable row level security;
alter table payload_keys force row level security;
-- As in enable_row_level_security.
create policy in_scope on payload_keys using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
grant select, insert, update, delete on payload_keys to plumbline_app;

-- Beside the column of the plain text, one of both: a text of a sender's can't pass for a sealed one.
alter table step_payloads add column input_sealed bytea, add column output_sealed bytea,
  add column prompt_template_sealed bytea;
alter table step_events add column attributes_sealed bytea;
