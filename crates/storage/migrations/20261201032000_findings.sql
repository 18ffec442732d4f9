-- What came of it when the watcher acted on an incident: the issue on GitHub, or why there is none.
alter table watched_incidents add column issue_url text, add column failure text;
