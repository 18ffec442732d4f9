-- How often a run was taken to be judged since its last step, and neither judged nor put off.
alter table judgement_queue add column attempts int not null default 0;

-- What a call is counted as when nobody settles it. Null where the version before reserved it.
alter table model_reservations add column feature text;
alter table model_reservations add column provider_id text;
alter table model_reservations add column model text;
