-- Until when a run whose spans come one by one waits for more of them. Null: nobody waits. Cleared by whoever finds that
-- the time has passed, who says then how the run ended: `storage/src/runs/waiting.rs`.
alter table runs add column waits_until timestamptz;

-- The runs that wait, which are those of the last seconds. On the parent alone: the migrator builds those of the partitions.
create index runs_waiting_idx on only runs (waits_until) where waits_until is not null;
