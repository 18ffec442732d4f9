-- Model calls of a run, for the lists of sessions and users.
alter table runs add column call_count integer not null default 0;

-- Row-level security holds for the owner of the tables too.
set local plumbline.scope = 'all';
update runs r set call_count = c.calls
from (
  select project_id, partition_at, run_id, count(*) as calls
  from steps where kind in ('llm', 'embedding') group by project_id, partition_at, run_id
) c
where r.project_id = c.project_id and r.partition_at = c.partition_at and r.run_id = c.run_id;

-- The runs of one session and of one user in the order of time: what `search_runs` finds by hashes, for many of them at
-- once and under row-level security. Runs without one cost nothing here.
create index runs_session_idx on runs (project_id, session_id, partition_at) where session_id is not null;
create index runs_user_idx on runs (project_id, user_id, partition_at) where user_id is not null;
