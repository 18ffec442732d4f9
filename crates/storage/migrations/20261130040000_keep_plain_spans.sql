-- Whether spans are kept of traces that belong to no call of a model.
alter table project_settings add column keep_plain_spans boolean not null default true;
