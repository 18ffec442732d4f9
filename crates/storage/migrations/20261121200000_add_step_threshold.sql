-- From how many points a step was critical when it was scored. Null for steps that were scored before this was kept.
alter table steps add column threshold integer;
-- The latest anomalous steps by when they began, which is not the order of their runs.
create index steps_anomaly_latest_idx on steps (project_id, started_at desc) where severity > 0;
