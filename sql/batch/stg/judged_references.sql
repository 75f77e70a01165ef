-- One row = a document of the log of which the rules of today say something else than the log does. Empties the chunk's table.
-- From: incoming_references, stg.reference_log
-- Grain: value_hash
-- Rerun: a document is judged once in a transaction
-- Params: gone_hashes (those of the chunk that are not accepted by now)
analyze incoming_references;

insert into stg.judged_references
select *  -- noqa: AM04
from stg.read_otherwise('incoming_references', 'stg.reference_log', null::stg.judged_references);

insert into stg.judged_references (value_hash, is_accepted)
select
    gone.value_hash,
    false
from unnest(%(gone_hashes)s::uuid[]) as gone (value_hash);

truncate incoming_references;
