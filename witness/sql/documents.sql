-- One row = a version of a guest or restaurant that Redis held when it was read, to the letter.
-- From: stg.reference_log
select
    object_type,
    object_id,
    convert_to(value::text, 'UTF8') as value
from stg.reference_log;
