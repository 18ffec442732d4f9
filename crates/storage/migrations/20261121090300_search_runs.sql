-- What a run is found by, as hashes: one for each thing a list can be narrowed to. A GIN index of them answers any
-- combination; what is found is compared with the row's own columns, so that two texts of one hash do no harm.
-- The project is part of each hash: a project's search reads nothing of another's.
create function run_term(project_id uuid, kind bigint, value text) returns integer
language sql immutable parallel safe as $$
  select (hashtextextended(value, uuid_hash_extended(project_id, kind)) >> 32)::integer
$$;

-- The eighth of a power of two below a figure: what ranges are found by.
create function run_magnitude(figure double precision) returns integer
language sql immutable parallel safe as $$
  select case when figure < 1 then 0 else 1 + floor(8 / ln(2.0::double precision) * ln(figure))::integer end
$$;

-- Kinds: 1 key, 2 environment, 3 release, 4 session, 5 user, 6 tag, 7 model, 8 step, 9 attribute, 10 status,
-- 11 severity, 12 cost, 13 duration, 14 tokens, 15 three letters of the problem's text, 16 up to four letters that a
-- word of the id begins with, 17 up to three letters of a shown name. Those are kept where the name is not among the
-- step names, being one of too many, and where it may become one of too many: most that do have a number in them. Other
-- names are few, and found as step names. Written out, without functions of ours: indexes are built under a search path
-- of their own.
create function run_terms(project_id uuid, run_id text, key_label text, environment text, release text,
  session_id text, user_id text, tags text[], models text[], step_names text[], attribute_hashes integer[],
  status text, severity smallint, cost_nano_usd bigint, started_at timestamptz, ended_at timestamptz,
  input_fresh bigint, cache_read bigint, cache_write bigint, output bigint, problem_text text, name text,
  problem_step_name text) returns integer[]
language plpgsql immutable parallel safe cost 2000 as $$
declare
  eighths constant double precision := 8 / ln(2.0::double precision);
  ms double precision := extract(epoch from ended_at - started_at)::double precision * 1000;
  tokens double precision := coalesce(input_fresh, 0)::double precision + coalesce(cache_read, 0)
    + coalesce(cache_write, 0) + coalesce(output, 0);
  terms integer[] := array[
    (hashtextextended(key_label, uuid_hash_extended(project_id, 1)) >> 32)::integer,
    (hashtextextended(environment, uuid_hash_extended(project_id, 2)) >> 32)::integer,
    (hashtextextended(release, uuid_hash_extended(project_id, 3)) >> 32)::integer,
    (hashtextextended(session_id, uuid_hash_extended(project_id, 4)) >> 32)::integer,
    (hashtextextended(user_id, uuid_hash_extended(project_id, 5)) >> 32)::integer,
    (hashtextextended(status, uuid_hash_extended(project_id, 10)) >> 32)::integer,
    (hashtextextended(severity::text, uuid_hash_extended(project_id, 11)) >> 32)::integer,
    (hashtextextended((case when cost_nano_usd < 1 then 0
      else 1 + floor(eighths * ln(cost_nano_usd::double precision))::integer end)::text,
      uuid_hash_extended(project_id, 12)) >> 32)::integer,
    (hashtextextended((case when ms < 1 then 0 else 1 + floor(eighths * ln(ms))::integer end)::text,
      uuid_hash_extended(project_id, 13)) >> 32)::integer,
    (hashtextextended((case when tokens < 1 then 0 else 1 + floor(eighths * ln(tokens))::integer end)::text,
      uuid_hash_extended(project_id, 14)) >> 32)::integer];
  seed bigint := uuid_hash_extended(project_id, 6);
  value text;
  hash integer;
begin
  foreach value in array tags loop
    terms := terms || (hashtextextended(value, seed) >> 32)::integer;
  end loop;
  seed := uuid_hash_extended(project_id, 7);
  foreach value in array models loop
    terms := terms || (hashtextextended(value, seed) >> 32)::integer;
  end loop;
  seed := uuid_hash_extended(project_id, 8);
  foreach value in array step_names loop
    terms := terms || (hashtextextended(value, seed) >> 32)::integer;
  end loop;
  if attribute_hashes is not null then
    seed := uuid_hash_extended(project_id, 9);
    foreach hash in array attribute_hashes loop
      terms := terms || (hashint4extended(hash, seed) >> 32)::integer;
    end loop;
  end if;
  if problem_text is not null then
    seed := uuid_hash_extended(project_id, 15);
    value := lower(problem_text);
    for place in 1 .. length(value) - 2 loop
      terms := terms || (hashtextextended(substr(value, place, 3), seed) >> 32)::integer;
    end loop;
  end if;
  seed := uuid_hash_extended(project_id, 17);
  foreach value in array array[name, problem_step_name] loop
    continue when value is null or (value = any (step_names) and value !~ '[0-9]');
    value := lower(value);
    for place in 1 .. length(value) loop
      for letters in 1 .. least(3, length(value) - place + 1) loop
        terms := terms || (hashtextextended(substr(value, place, letters), seed) >> 32)::integer;
      end loop;
    end loop;
  end loop;
  seed := uuid_hash_extended(project_id, 16);
  foreach value in array string_to_array(translate(lower(run_id), '_./: ', '-----'), '-') loop
    terms := terms || (hashtextextended(left(value, 4), seed) >> 32)::integer;
  end loop;
  return terms;
end
$$;

create index runs_terms_idx on runs using gin (run_terms(project_id, run_id, key_label, environment, release,
  session_id, user_id, tags, models, step_names, attribute_hashes, status, severity, cost_nano_usd, started_at,
  ended_at, input_fresh, cache_read, cache_write, output, problem_text, name, problem_step_name)) with (gin_pending_list_limit = 1024);

-- The hashes of a project's step names with this text in them; of those without a number, which others have too many of.
-- Names are skipped from one to the next, because each has a row for every hour.
create function step_names_with(project uuid, part text) returns integer[]
language plpgsql stable set search_path = public, pg_temp
set enable_indexscan = on
set enable_seqscan = on as $$
declare
  max_skipped constant integer := 2000;
  names text[];
begin
  select array_agg(value) into names from (
    with recursive n (value) as (
      (select c.value from run_counts c where c.project_id = project and c.dimension = 'step' and c.value !~ '[0-9]'
        order by c.value limit 1)
      union all
      select (select c.value from run_counts c where c.project_id = project and c.dimension = 'step'
        and c.value !~ '[0-9]' and c.value > n.value order by c.value limit 1)
      from n where n.value is not null)
    select value from n where value is not null limit max_skipped) n;
  if cardinality(names) = max_skipped then
    select array_agg(distinct c.value) into names from run_counts c
      where c.project_id = project and c.dimension = 'step' and c.value !~ '[0-9]'
        and strpos(lower(c.value), lower(part)) > 0;
  end if;
  return coalesce((select array_agg(run_term(project, 8, value)) from unnest(names) value
    where strpos(lower(value), lower(part)) > 0), '{}');
end
$$;
create index run_counts_names_idx on run_counts (project_id, value) where dimension = 'step' and value !~ '[0-9]';

-- The newest runs of the transaction's project that a filter leaves, newest first, at most `max_rows`. Row-level
-- security lets no index find rows by an operator that could leak them, and those of arrays could. So this looks as
-- the owner, into partitions, which carry no policy, and names the one project of the scope itself in every statement.
create function search_runs(filter jsonb, from_at timestamptz, to_at timestamptz, before_at timestamptz,
  before_id text, max_rows integer) returns setof runs
language plpgsql stable security definer rows 100
set search_path = public, pg_temp
set max_parallel_workers_per_gather = 0
set enable_indexscan = on
set enable_seqscan = on as $$
declare
  project uuid := nullif(current_setting('plumbline.scope', true), 'all')::uuid;
  terms integer[] := '{}';
  conditions text := '';
  expression constant text := 'run_terms(project_id, run_id, key_label, environment, release, session_id, user_id, '
    'tags, models, step_names, attribute_hashes, status, severity, cost_nano_usd, started_at, ended_at, input_fresh, '
    'cache_read, cache_write, output, problem_text, name, problem_step_name)';
  milliseconds constant text := 'extract(epoch from ended_at - started_at) * 1000';
  tokens constant text := 'coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) '
    '+ coalesce(output, 0)';
  pattern text;
  found_names integer[];
  problem_letters integer[];
  name_letters integer[];
  by_letters text;
  by_text text;
  id_words integer[];
  counted text[] := '{}';
  source text;
  by_terms text := '';
  is_common boolean := true;
  is_range boolean := false;
  statement text;
  found integer;
  week record;
  upper_edge timestamptz := 'infinity';
  fact record;
begin
  if project is null then
    raise exception 'a search is for one project';
  end if;
  for fact in values ('key', 1, 'key_label'), ('environment', 2, 'environment'), ('session', 4, 'session_id'),
    ('user', 5, 'user_id'), ('status', 10, 'status'), ('severity', 11, 'severity')
  loop
    if filter ? fact.column1 then
      terms := terms || run_term(project, fact.column2, filter ->> fact.column1);
      conditions := conditions || format(' and %s = %L', fact.column3, filter ->> fact.column1);
      if fact.column2 <= 2 then
        counted := counted || array[array[fact.column1, filter ->> fact.column1]];
      end if;
    end if;
  end loop;
  for fact in values ('tag', 6, 'tags'), ('model', 7, 'models'), ('step', 8, 'step_names') loop
    if filter ? fact.column1 then
      terms := terms || run_term(project, fact.column2, filter ->> fact.column1);
      conditions := conditions || format(' and %s @> array[%L]', fact.column3, filter ->> fact.column1);
      if fact.column2 > 6 then
        counted := counted || array[array[fact.column1, filter ->> fact.column1]];
      end if;
    end if;
  end loop;
  if filter ? 'attribute' then
    terms := terms || (hashint4extended(hashtext(filter ->> 'attribute'), uuid_hash_extended(project, 9)) >> 32)::integer;
    conditions := conditions || format(' and attribute_hashes @> array[%s]', hashtext(filter ->> 'attribute'));
  end if;
  if filter ? 'release' then
    select greatest(from_at, min(c.hour)), least(to_at, max(c.hour) + interval '1 hour') into from_at, to_at
      from run_counts c
      where c.project_id = project and c.dimension = 'release' and starts_with(c.value, filter ->> 'release');
    conditions := conditions || format(' and starts_with(release, %L)', filter ->> 'release');
    by_terms := by_terms || format(' and %s && %L', expression,
      (select coalesce(array_agg(run_term(project, 3, r.value)), '{}') from (
        select distinct c.value from run_counts c
        where c.project_id = project and c.dimension = 'release' and starts_with(c.value, filter ->> 'release')) r));
  end if;
  for fact in values ('cost', 12, 'cost_nano_usd'), ('latency', 13, milliseconds), ('tokens', 14, tokens) loop
    if filter ? (fact.column1 || '_min') or filter ? (fact.column1 || '_max') then
      by_terms := by_terms || format(' and %s && %L', expression, (
        select array_agg(run_term(project, fact.column2, magnitude::text))
        -- A little more at each end: at a power of two the last bit of a figure decides. Rows are compared with it.
        from generate_series(run_magnitude(0.999999999 * coalesce((filter ->> (fact.column1 || '_min'))::double precision, 0)),
          run_magnitude(1.000000001 * coalesce((filter ->> (fact.column1 || '_max'))::double precision, 1e19))) magnitude));
      is_range := true;
      if filter ? (fact.column1 || '_min') then
        conditions := conditions || format(' and %s >= %L', fact.column3, filter ->> (fact.column1 || '_min'));
      end if;
      if filter ? (fact.column1 || '_max') then
        conditions := conditions || format(' and %s <= %L', fact.column3, filter ->> (fact.column1 || '_max'));
      end if;
    end if;
  end loop;
  if filter ? 'q' then
    pattern := '%' || replace(replace(replace(filter ->> 'q', '\', '\\'), '%', '\%'), '_', '\_') || '%';
    select array_agg(run_term(project, 15, letters)), array_agg(run_term(project, 17, letters))
      into problem_letters, name_letters
      from (select substr(lower(filter ->> 'q'), place, 3) as letters
        from generate_series(1, greatest(1, length(filter ->> 'q') - 2)) place) l;
    -- Every word but the last is whole.
    select array_agg(run_term(project, 16, left(word, 4))) into id_words
      from (select word, place, count(*) over () as words
        from unnest(string_to_array(translate(lower(filter ->> 'q'), '_./: ', '-----'), '-'))
          with ordinality w (word, place)) w
      where word <> '' and (length(word) >= 4 or place < words);
    conditions := conditions || format(' and (name ilike %1$L or problem_text ilike %1$L or problem_step_name ilike %1$L '
      'or run_id ilike %1$L)', pattern);
    -- A text of one or two letters is not looked for in problems.
    by_letters := format('%1$s @> %2$L or %1$s @> %3$L or %1$s @> %4$L', expression,
      coalesce(id_words, array[run_term(project, 16, lower(filter ->> 'q'))]), problem_letters, name_letters);
  end if;
  if terms <> '{}' then
    by_terms := by_terms || format(' and %s @> %L', expression, terms);
  end if;
  if before_at is not null then
    conditions := conditions || format(' and (partition_at, run_id) < (%L, %L)', before_at, before_id);
    to_at := least(to_at, before_at + interval '1 microsecond');
  end if;
  from_at := coalesce(from_at, '-infinity');
  to_at := coalesce(to_at, 'infinity');
  for week in
    -- A week's name tells when it begins, at a tenth of what reading its bounds costs.
    select w.child, w.starts_at, w.starts_at + interval '7 days' as ends_at from (
      select c.relname::text as child, to_date(split_part(c.relname, '_', 2), 'IYYY"w"IW') as starts_at
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'runs'::regclass and c.relname <> 'runs_default') n
    cross join lateral (
      select n.child, n.starts_at::timestamp at time zone 'UTC' as starts_at) w
    where w.starts_at + interval '7 days' > from_at and w.starts_at < to_at
    union all select null, '-infinity', '-infinity'
    order by 3 desc
  loop
    -- Rows outside every week lie between them, in the default partition.
    for fact in values ('runs_default', week.ends_at, upper_edge), (week.child, week.starts_at, week.ends_at) loop
      continue when fact.column1 is null or fact.column2 >= fact.column3 or fact.column2 >= to_at
        or fact.column3 <= from_at;
      if fact.column1 <> 'runs_default' and counted <> '{}' then
        continue when exists (
          select from generate_subscripts(counted, 1) place where not exists (
            select from run_counts c where c.project_id = project and c.dimension = counted[place][1]
              and c.value = counted[place][2] and c.hour >= week.starts_at and c.hour < week.ends_at));
      end if;
      source := format('%I where step_count > 0 and project_id = %L and partition_at >= %L and partition_at < %L', fact.column1, project,
        greatest(fact.column2, from_at), least(fact.column3, to_at));
      -- What many of the newest 300 have is found sooner by walking from them than by sorting all that have it: from 2 of
      -- 100 for a page of the list, from 10 of 100 for a thousand; from half as many where the index finds figures that
      -- are only nearly in the range.
      if is_common then
        execute format('select count(*) < 300 or count(*) filter (where true%s) ^ 2 >= %s from (select * from %s '
          'order by partition_at desc, run_id desc limit 300) r', conditions,
          case when is_range then max_rows / 4 else max_rows end, source) into is_common;
      end if;
      by_text := '';
      if by_letters is not null and not is_common then
        found_names := coalesce(found_names, step_names_with(project, filter ->> 'q'));
        by_text := format(' and (%s or %s && %L)', by_letters, expression, found_names);
      end if;
      statement := format('select * from %s%s%s order by partition_at desc, run_id desc limit %s', source, conditions,
        case when is_common then '' else by_terms || by_text end, max_rows);
      if filter ? 'attribute' then
        -- What was found has the hash; a few more than are asked for make up for others of the same hash. The steps of a
        -- week's runs lie in the same week. A subquery with a limit is asked for each row and not made a join.
        statement := format('select * from (%s + 50) r where (select true from %I s where s.project_id = %L '
          'and s.run_id = r.run_id and s.partition_at = r.partition_at and s.attributes ->> %L = %L limit 1) limit %s',
          statement, coalesce(to_regclass(replace(fact.column1, 'runs_', 'steps_'))::text, 'steps'), project,
          split_part(filter ->> 'attribute', '=', 1),
          substr(filter ->> 'attribute', strpos(filter ->> 'attribute', '=') + 1), max_rows);
      end if;
      -- The planner knows little of arrays: it would rather walk a week than ask the index.
      perform set_config('enable_indexscan', case when is_common then 'on' else 'off' end, true),
        set_config('enable_seqscan', case when is_common then 'on' else 'off' end, true);
      return query execute statement;
      get diagnostics found = row_count;
      max_rows := max_rows - found;
      if max_rows <= 0 then
        return;
      end if;
    end loop;
    upper_edge := week.starts_at;
  end loop;
end
$$;
revoke execute on function search_runs from public;
grant execute on function search_runs to plumbline_app;
