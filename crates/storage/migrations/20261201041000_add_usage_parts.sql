-- What calls used beside the four buckets, by the hour and series: sound, pictures, video, writes to the cache for an hour,
-- and tools that are billed by number. Null where there was none, which is where most hours are: those take no more room
-- and no more work than before, and no step is any larger.
alter table rollups add column usage_parts jsonb;

-- The hours that have any. What writes hours never says so, and keeps to the primary key; a row without them has no entry.
create index rollups_usage_parts_idx on only rollups (project_id, hour) where usage_parts is not null;

-- What one step adds to them: `UsageDetails::counted_parts` in crates/domain says the same. Nothing where another step's
-- usage counts instead, which has no semantics then.
create function parts_of_usage(semantics text, details jsonb, web_searches bigint, cache_write_1h bigint)
returns table (word text, n bigint)
language sql immutable parallel safe
as $$
  select p.word, p.n from (
    values ('cache_write_1h', cache_write_1h), ('web_search', web_searches),
      ('citations', (details ->> 'citations')::bigint)
    union all
    select side || '_' || kind, (details -> side ->> kind)::bigint
    from unnest(array['input', 'cache_read', 'output']) side, unnest(array['audio', 'image', 'video']) kind
    union all
    select case when t.key in ('file_search', 'code_interpreter') then t.key else 'other_tool' end,
      least(sum(t.value::numeric), 9223372036854775807)::bigint
    from jsonb_each_text(details -> 'tools') t where t.value::numeric > 0 group by 1
  ) p (word, n)
  where p.n > 0 and semantics is not null
$$;

-- Hours that are there already are counted by a job, a few at a time, and once more an hour later for what servers of the
-- version before write meanwhile. Row-level security holds for the owner of the tables too.
set local plumbline.scope = 'all';
insert into jobs (project_id, job_id, kind, deduplicated, arguments, state, run_after, created_at)
select p.project_id, gen_random_uuid(), 'count_usage_parts', false, '{}', 'waiting', now() + pass.later, now()
from projects p
cross join (values (interval '0'), (interval '1 hour')) pass (later)
where p.deleted_at is null and exists (select from rollups r where r.project_id = p.project_id);
