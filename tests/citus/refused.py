"""What a plain warehouse has and a distributed one can't: it goes when the warehouse is distributed, and comes back with it."""

# Between an order and a guest, and between an order and a dish, which lie in different places. Laws of sql/checks see to them.
DROPPED_FOREIGN_KEYS = {"l_order_product_h_product_pk_fkey", "l_order_user_h_user_pk_fkey"}
# Who empties the log by hand empties the progress by hand.
DROPPED_TRIGGERS = {"forget_progress"}
