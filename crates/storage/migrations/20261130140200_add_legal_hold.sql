-- While a project is on hold nothing of it is deleted, whatever its retention says.
alter table project_settings add column held_at timestamptz;
