-- One row: what is stored but not yet in the marts. While it is not 0, a run is between two layers, or has failed there.
-- From: stg.load_queue, dds.counter_queue, cdm.rule_queue
select
    (select count(*) from stg.load_queue)
    + (select count(*) from dds.counter_queue)
    + (select count(*) from cdm.rule_queue) as queued;
