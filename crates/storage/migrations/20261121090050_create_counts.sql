-- What is summed up from `runs` and `rollups`, so that no page reads those over weeks. Kept by the statements that change
-- a run or an hour: `storage/src/counts.rs`.

-- How many runs began in an hour, in all and by what most lists are narrowed by, so that no total reads runs.
create table run_counts (
  project_id uuid not null,
  hour timestamptz not null,
  steps bigint not null,
  -- runs whose cost is known; without one the sum is unknown, not 0
  priced_runs integer not null,
  unpriced_steps bigint not null,
  -- by status and severity
  ok_clean integer not null,
  ok_warning integer not null,
  ok_critical integer not null,
  error_clean integer not null,
  error_warning integer not null,
  error_critical integer not null,
  running_clean integer not null,
  running_warning integer not null,
  running_critical integer not null,
  -- 'all' with a blank value, or 'key', 'environment', 'release', 'model', 'step'
  dimension text not null,
  value text not null,
  -- numeric: the sum of what fits into a bigint may not
  cost_nano_usd numeric not null,
  primary key (project_id, dimension, value, hour)
) partition by range (hour);

-- How many steps of a day had a condition, by the step's severity: one row for each code, one for each layer (1 to 5) in
-- which a step has any, and one (0) for steps with any at all.
create table condition_days (
  project_id uuid not null,
  day timestamptz not null,
  ok bigint not null,
  warning bigint not null,
  critical bigint not null,
  code smallint not null,
  key_label text not null,
  step_name text not null,
  -- blank without one
  model text not null,
  primary key (project_id, day, code, step_name, model, key_label)
) partition by range (day);

-- `rollups` by the day, for windows of weeks. Numeric: the sum of what fits into a bigint may not.
create table rollup_days (
  project_id uuid not null,
  day timestamptz not null,
  first_hour timestamptz not null,
  last_hour timestamptz not null,
  calls bigint not null,
  errors bigint not null,
  anomalies bigint not null,
  unpriced bigint not null,
  -- hours whose cost is known; without one the sum is unknown, not 0
  priced_hours integer not null,
  series_id uuid not null,
  input_fresh numeric,
  cache_read numeric,
  cache_write numeric,
  output numeric,
  reasoning numeric,
  cost_nano_usd numeric,
  key_label text not null,
  environment text,
  step_name text not null,
  model text,
  template_fingerprint bytea,
  primary key (project_id, day, series_id)
) partition by range (day);
