"""Runs layers and operators as the DAGs do, without a scheduler: for tests, benchmarks and campaigns of faults."""
