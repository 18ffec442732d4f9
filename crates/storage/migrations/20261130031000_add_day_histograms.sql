-- What percentiles and intervals over weeks are made of, by the day: histograms and sums of squares. Sums of squares are
-- kept like the other sums of a day (`storage/src/counts.rs`). A histogram is worked out from those of the day's hours
-- once the day is over, and taken away again by whatever adds a call to the day (`storage/src/day_histograms.rs`): where
-- there is none, the hours are read.

alter table rollup_days
  add column cost_squares numeric not null default 0,
  add column input_squares numeric not null default 0,
  add column output_squares numeric not null default 0,
  -- engine::histogram, encoded; null until they are worked out
  add column latency_us bytea,
  add column ttft_us bytea;

-- Days without histograms: those that go on, and what came late.
create index rollup_days_open_idx on rollup_days (project_id, day) where latency_us is null;

update rollup_days d
set cost_squares = h.cost_squares, input_squares = h.input_squares, output_squares = h.output_squares
from (
  select project_id, date_trunc('day', hour, 'UTC') as day, series_id, sum(cost_squares) as cost_squares,
    sum(input_squares) as input_squares, sum(output_squares) as output_squares
  from rollups group by 1, 2, 3
) h
where d.project_id = h.project_id and d.day = h.day and d.series_id = h.series_id;
