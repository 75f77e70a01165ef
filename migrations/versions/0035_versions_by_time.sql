-- Who switches on a rule with a window asks which orders were closed lately, and which are dated ahead. A summary of blocks: next to
-- nothing to keep, and versions come about in the order of their time.

create index s_order_status_effective_dttm on dds.s_order_status using brin (effective_dttm);
