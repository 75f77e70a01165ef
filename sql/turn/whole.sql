-- Before the first look of a transaction that reads everything in one snapshot: holds every table against a rebuild of the vault,
-- which empties it by TRUNCATE. That leaves nothing for an older snapshot to see, so the snapshot must be taken after the locks,
-- and LOCK TABLE takes none. Loads go on; a rebuild waits for the reader, and the reader for a rebuild that is on.
-- In the order in which dds.clear_vault() locks: else the two could wait for each other.
-- Rerun: harmless
-- Params: lock_timeout_ms
set local lock_timeout = %(lock_timeout_ms)s;
lock table
    dds.h_order,
    dds.h_user,
    dds.h_product,
    dds.h_category,
    dds.h_restaurant,
    dds.l_order_user,
    dds.l_order_product,
    dds.l_product_category,
    dds.l_product_restaurant,
    dds.s_order_cost,
    dds.s_order_status,
    dds.s_user_names,
    dds.s_product_names,
    dds.s_restaurant_names,
    dds.es_order_user,
    dds.es_order_product,
    dds.es_product_category
in access share mode;
