-- After a part of a first load, in the same transaction: what the workers held of it is no longer needed.
-- Rerun: harmless
-- Params: none
delete from batch_events;

delete from batch_orders;

delete from batch_lines;

discard temp;
