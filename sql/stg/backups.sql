-- One row = a try of a dump, or of a restore as a test.
-- From: what deploy/backup.py has seen
-- Grain: a try
-- Rerun: one more row; a try is made once
-- Params: kind, stamp, seconds, bytes, messages, is_good, detail
insert into stg.backups (
    kind,
    stamp,
    seconds,
    bytes,
    messages,
    is_good,
    detail
)
values (
    %(kind)s,
    %(stamp)s,
    %(seconds)s,
    %(bytes)s,
    %(messages)s,
    %(is_good)s,
    %(detail)s
);
