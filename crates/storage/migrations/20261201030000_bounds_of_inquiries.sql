-- How often a run was taken to be judged since its last step, and neither judged nor put off.
alter table judgement_queue add column attempts int not null default 0;
