-- A job is done in pieces, each in a transaction that also says where the next one begins. The piece's transaction
-- holds the job's row; when its process dies, Postgres lets go of the row and any other process goes on.
alter table jobs
  add column cursor jsonb,
  -- failures since the last piece that was done
  add column attempts integer not null default 0,
  add column started_at timestamptz;
drop index jobs_waiting_idx;
create index jobs_due_idx on jobs (run_after) where state in ('waiting', 'running');
-- Two of them would undo each other.
create unique index jobs_reprice_key on jobs (project_id)
  where kind = 'reprice' and state in ('waiting', 'running');
