-- Steps whose cost is unknown although their model has a price: nobody counted what they used. Few among many; the
-- list of models without a price leaves them out.
create index steps_listed_unknown_idx on steps (project_id, started_at) include (model)
  where cost_source = 'unknown' and price_version is not null;
