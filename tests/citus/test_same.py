"""What holds of a plain warehouse holds of a distributed one: the same tests, run again."""

from tests.warehouse.test_streams import (  # noqa: F401
    test_after_any_stream_the_warehouse_equals_the_model,
    test_at_any_moment_of_a_stream_what_waits_breaks_no_law,
    test_two_cuts_and_orders_of_one_stream_give_the_same_state,
)
