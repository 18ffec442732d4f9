-- What a call used beside the buckets: parts by modality, tools, where it ran (`domain::UsageDetails`). Null where there
-- is nothing to say.
alter table steps add column usage_details jsonb;

-- The names in a usage object that was not understood; the object itself is among the attributes.
alter table steps add column usage_shape text;

create index steps_usage_shape_idx on steps (project_id, started_at) where usage_shape is not null;
