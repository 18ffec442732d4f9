-- What the proxy sees of a call and a price depends on. Null costs a bit in a row, so the absent is not written.
alter table steps
  add column error_class text,
  add column service_tier text,
  add column max_gap_ms double precision,
  -- null is false
  add column stream_incomplete boolean,
  add column web_searches bigint,
  -- the part of cache_write that is kept for an hour
  add column cache_write_1h bigint;
