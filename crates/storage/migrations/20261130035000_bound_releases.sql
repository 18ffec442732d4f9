-- What a step says it ran is one of too many in its hour: what sums up calls by release counts it as 'other'. Null
-- otherwise, and without a release.
alter table steps add column release_is_other boolean;

-- The templates that were first seen since a rollout began.
create index prompt_texts_first_seen_at_idx on prompt_texts (project_id, first_seen_at);
