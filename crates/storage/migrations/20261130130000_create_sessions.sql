-- Model calls of a run, for the lists of sessions and users. A constant default touches no row; the runs that are there
-- already are counted by a job, a thousand at a time.
alter table runs add column call_count integer not null default 0;

-- Row-level security holds for the owner of the tables too. Servers of the version before count no calls, and may write
-- until the last one is replaced: what came in since is counted once more an hour later.
set local plumbline.scope = 'all';
insert into jobs (project_id, job_id, kind, deduplicated, arguments, state, run_after, created_at)
select p.project_id, gen_random_uuid(), 'count_calls', false, pass.arguments, 'waiting', now() + pass.later, now()
from projects p
cross join (values
  ('{}'::jsonb, interval '0'),
  (jsonb_build_object('received_from', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), interval '1 hour')
) pass (arguments, later)
where p.deleted_at is null and exists (select from runs r where r.project_id = p.project_id);

-- The runs of one session and of one user in the order of time: what `search_runs` finds by hashes, for many of them at
-- once and under row-level security. Runs without one cost nothing here. On the parent alone: the migrator builds those of
-- the partitions one by one, concurrently, after the last migration.
create index runs_session_idx on only runs (project_id, session_id, partition_at) where session_id is not null;
create index runs_user_idx on only runs (project_id, user_id, partition_at) where user_id is not null;
