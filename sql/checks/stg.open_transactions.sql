-- Law stg.open_transactions.age: no transaction, prepared transaction or unused replication slot is older than the longest task may
-- take; while it lasts, no dead row and no file of the log that is younger can be removed.
-- Over: all
-- Params: begun_before
select
    kind,
    who,
    since,
    detail
from stg.open_transactions
where since < %(begun_before)s::timestamptz;
