-- What calls cost by session, whatever runs they belong to; steps without a session cost nothing here.
create index steps_session_idx on steps (project_id, session_id) where session_id is not null;
-- The parts of an hour that rollups can't tell. Steps lie in the order of their arrival, which is nearly that of
-- their start, so summaries of a few pages find an hour at almost no cost to those who write.
create index steps_started_idx on steps using brin (started_at timestamptz_minmax_multi_ops)
  with (pages_per_range = 16, autosummarize = on);
