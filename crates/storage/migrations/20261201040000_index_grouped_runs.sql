-- What the lists of sessions and users read of each run of their window, so that they need not look at the rows, which are
-- six times as long. About 85 bytes for each run that has a session or a user.
create index runs_grouped_idx on only runs (project_id, partition_at)
  include (ended_at, cost_nano_usd, unpriced_steps, severity, status, session_id, user_id)
  where step_count > 0 and (session_id is not null or user_id is not null);

-- The run of a user that went most wrong. A user may have thousands of runs; a session has few.
create index runs_user_problem_idx on only runs (project_id, user_id, severity desc, problem_rank desc, partition_at)
  where user_id is not null and problem_rank > 0;
