"""The made-up app: its catalogue and guests, a history of its orders, orders as they come in."""
