-- Which edition of the shipped prices is in `prices`; one row at most.
create table price_edition (
  is_one boolean primary key default true check (is_one),
  version text not null,
  loaded_at timestamptz not null
);
grant select, insert, update, delete on price_edition to plumbline_app;

-- A project sees the shipped rows and writes none of them.
drop policy in_scope on prices;
create policy in_scope on prices using (
  (select current_setting('plumbline.scope', true)) = 'all'
  or project_id = any ((select string_to_array(nullif(current_setting('plumbline.scope', true), 'all'), ','))::uuid[]));
create policy shipped_are_seen on prices for select using (project_id is null);

-- A project has one price of its own for a name from a moment on.
create unique index prices_own_key on prices (project_id, provider, model_match, lower(model), valid_from)
  where project_id is not null;
