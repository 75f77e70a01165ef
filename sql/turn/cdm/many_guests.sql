-- Where the orders of more than a thousand guests are folded, tables are read one page after another if that costs less: by their
-- indexes a rule of 25,000 guests was judged in 55 s instead of 17 at 5,000,000 orders, for the indexes were read whole and every page
-- of the tables once for each of its rows. The vault holds all that is asked for by then, so no plan is of an empty table.
-- From: batch_folded
-- Rerun: harmless
-- Params: none
select set_config('enable_seqscan', 'on', true)
from (
    select count(distinct user_id) as guests
    from batch_folded
) as size
where size.guests > 1000;
