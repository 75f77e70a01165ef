-- Law stg.judged_orders: what a rebuild of STG keeps aside is gone when it ends.
-- Over: all
-- Params: none
select
    value_hash,
    is_accepted
from stg.judged_orders;
