"""The warehouse without Airflow: formats of the sources, the drain, the loads. Everything here runs and is tested alone."""
