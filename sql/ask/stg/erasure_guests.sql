-- All guests of whom the warehouse holds anything by their id: to be held against the ledger after a restore.
-- From: stg.reference_keys, stg.reference_log, stg.dead_letters, dds.h_user, cdm.consents, cdm.suppressions
-- Grain: guest id
-- Rerun: harmless
-- Params: none
select object_id
from stg.reference_keys
where object_type = 'user'

union

select object_id
from stg.reference_log
where object_type = 'user'

union

select convert_from(message_key, 'UTF8')
from stg.dead_letters
where topic = 'redis'

union

select user_id
from dds.h_user

union

select guest_id
from cdm.consents

union

select value
from cdm.suppressions
where kind = 'guest';
