"""The warehouse on a distributed PostgreSQL: the same tests, and what there is only there."""
