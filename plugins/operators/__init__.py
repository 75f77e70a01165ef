"""Operators, one a file: the thin side that faces Airflow."""
