-- Which models have no price: few rows among many, asked by every list that shows a cost.
create index rollups_unpriced_idx on rollups (project_id, hour) where unpriced > 0;
