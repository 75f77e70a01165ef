"""Names that the whole pipeline shares: folders, connections, the topic."""

from pathlib import Path

SQL_FOLDER = str(Path(__file__).resolve().parents[2] / "sql")
TAG_RULES_FILE = str(Path(__file__).resolve().parents[2] / "config" / "tag_rules.yaml")
TERMS_FILE = str(Path(__file__).resolve().parents[2] / "config" / "terms.yaml")
AUDIENCES_FILE = str(Path(__file__).resolve().parents[2] / "config" / "audiences.yaml")

# Who is called when a DAG fails; Airflow shows it beside each.
OWNER = "data-on-call"

KAFKA_CONN_ID = "kafka_orders"
REDIS_CONN_ID = "redis_reference"
POSTGRES_CONN_ID = "postgres_dwh"
EXPORTS_CONN_ID = "audience_exports"
ERASURES_CONN_ID = "erasure_ledger"

# How long a client of PostgreSQL waits for a machine that is gone: a minute, once connected. An Airflow connection's extra may
# say otherwise. For a server that is there and silent it waits until the task's own limit.
POSTGRES_LIMITS = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# The same for Airflow and its own database; a dict of its own, for Airflow may add to it.
AIRFLOW_POSTGRES_LIMITS = dict(POSTGRES_LIMITS)

ORDERS_TOPIC = "order-service_orders"
CONSUMER_GROUP = "dwh-orders"

# Whose progress is that of the run of every minute.
ORDERS_READER = "orders"
