-- How many tokens fit into the model's context, where the price list says so.
alter table prices add column context_window bigint;
