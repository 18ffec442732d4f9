-- A process that judged a project judges later hours of the day alone, as long as what came before them is as it was.
alter table incident_judging
  -- counts what other processes could not know of: changes of hours that were taken for settled, incidents that opened or
  -- ended
  add column history bigint not null default 0,
  -- a project with too many hours is judged by the latest of them: those before this were not read
  add column left_out_before timestamptz;
