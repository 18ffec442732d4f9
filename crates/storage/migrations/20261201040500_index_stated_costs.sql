-- Steps with which a cost was stated, by a client, a gateway or the provider: compared with what we computed. Others cost
-- nothing here. On the parent alone: the migrator builds those of the partitions.
create index steps_stated_cost_idx on only steps (project_id, started_at) where reported_cost_nano_usd is not null;
