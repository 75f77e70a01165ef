-- Queues the guests whose counters this batch may have changed: those of its orders, from the version before the first incoming one
-- on, and those who ever ordered a dish whose name or category has changed. (Who ordered a new dish is among the first.)
-- Usually no dish has changed, which the planner must know: else it makes room in memory in proportion to the history.
-- From: batch_orders, batch_changed_products, batch_new_products, dds.l_order_product, dds.es_order_user
-- Grain: h_user_pk, once a batch
-- Rerun: queues the same guests again, whose counters then do not change
-- Params: load_dt
analyze batch_changed_products;

analyze batch_new_products;

insert into dds.counter_queue (h_user_pk, load_dt)
select
    touched.h_user_pk,
    %(load_dt)s::timestamptz
from (
    select h_user_pk
    from batch_orders
    union
    select owner.h_user_pk
    from (
        select h_product_pk
        from batch_changed_products
        except
        select h_product_pk
        from batch_new_products
    ) as changed
    inner join dds.l_order_product as held on changed.h_product_pk = held.h_product_pk
    inner join dds.es_order_user as owner on held.h_order_pk = owner.h_order_pk
) as touched;
