-- The order in which steps were scored, over all server processes: what a step is judged against is what arrived
-- before it. The upper bits number the batches, the lower 20 the steps of one. Times can't say it: all steps of a batch
-- are received at once, and clients set the others.
create sequence batches;
grant usage, select on sequence batches to plumbline_app;
alter table steps add column arrival bigint;
-- What is stored already arrived before everything to come.
set local plumbline.scope = 'all';
update steps s set arrival = o.arrival
from (
  select project_id, run_id, step_id, run_at,
    row_number() over (partition by project_id order by received_at, started_at, step_id, run_id) as arrival
  from steps
) o
where s.project_id = o.project_id and s.run_id = o.run_id and s.step_id = o.step_id and s.run_at = o.run_at;
alter table steps alter column arrival set not null;
select setval('batches', (coalesce((select max(arrival) from steps), 0) >> 20) + 1);
-- A project's latest steps, and those since the last look. Entries are only ever added at the end of a project's
-- stretch, which costs those who write next to nothing; the summaries of a BRIN index cost less still, but know no order.
create index steps_arrival_idx on steps (project_id, arrival);
