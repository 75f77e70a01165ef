"""Names that the whole pipeline shares: connections, topic, and the SQL files of each load in the order in which they run."""

from pathlib import Path

SQL_FOLDER = str(Path(__file__).resolve().parents[2] / "sql")
TAG_RULES_FILE = str(Path(__file__).resolve().parents[2] / "config" / "tag_rules.yaml")

# Who is called when a DAG fails; Airflow shows it beside each.
OWNER = "data-on-call"

KAFKA_CONN_ID = "kafka_orders"
REDIS_CONN_ID = "redis_reference"
POSTGRES_CONN_ID = "postgres_dwh"

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

ORDERS_TOPIC = "order-service_orders"
CONSUMER_GROUP = "dwh-orders"

# Of times that the sources write without a zone. When it was wrong and is put right here, marts_rebuild with the layer stg judges
# again what is stored.
SOURCE_ZONE = "UTC"

TRANSACTION = "turn/transaction.sql"
LOAD_SETTINGS = "turn/load_settings.sql"
# For who reads everything in one snapshot: after TRANSACTION, before the first look.
WHOLE = "turn/whole.sql"
STG_LOCK = "turn/stg/lock.sql"

# A chunk of messages of Kafka: the temporary tables that it is copied into, and, from its turn on, the tables that it enters.
STG_ORDERS_INCOMING = (LOAD_SETTINGS, "batch/stg/incoming_orders.sql", "batch/stg/incoming_dead_letters.sql")
STG_ORDERS_ACCEPTED = (
    "batch/stg/incoming_withdrawn.sql",
    "batch/stg/incoming_newest.sql",
    STG_LOCK,
    "batch/stg/incoming_hours.sql",
    "stg/order_hours.sql",
    "stg/order_statuses.sql",
    "stg/order_events.sql",
    "stg/order_event_log.sql",
    "stg/reference_keys.sql",
)
STG_ORDERS = (*STG_ORDERS_ACCEPTED, "stg/dead_letters.sql", "settle/stg/dead_letters_solved.sql")

# How far a drain has come: what is stored with its chunks and beside them.
STG_PROGRESS = (
    "ask/stg/drain_positions.sql",
    "stg/drain_progress.sql",
    "settle/stg/drain_progress_done.sql",
    "stg/lost_messages.sql",
    "stg/drain_ends.sql",
)
ORDERS_READER = "orders"

# What deploy/backup.py notes of each try.
STG_BACKUPS = ("stg/backups.sql",)
# What data_checks found.
STG_LAW_CHECKS = ("stg/law_checks.sql",)

# The documents of Redis.
STG_REFERENCE_QUERIES = ("ask/stg/reference_wanted.sql", "ask/stg/reference_unseen.sql")
STG_REFERENCE_INCOMING = (LOAD_SETTINGS, "batch/stg/incoming_references.sql", "batch/stg/incoming_dead_letters.sql")
STG_REFERENCE_ACCEPTED = (STG_LOCK, "stg/reference_log.sql", "settle/stg/reference_keys_found.sql")
STG_REFERENCE = (*STG_REFERENCE_ACCEPTED, "stg/dead_letters.sql", "settle/stg/dead_letters_unread.sql")

# Dead letters on their second way through the door: which they are, and what is noted of each.
STG_REPLAY_QUERIES = ("ask/stg/dead_letters_last.sql", "ask/stg/dead_letters_wanted.sql")
STG_REPLAY_ORDERS = (*STG_ORDERS_ACCEPTED, "settle/stg/dead_letters_tried.sql")
STG_REPLAY_REFERENCE = (*STG_REFERENCE_ACCEPTED, "settle/stg/dead_letters_tried.sql")

# How many events a batch of the vault takes: few where a minute's run may wait for its end; many where it is the first, which is
# loaded without keys; all in a rebuild. A million take 1.2 GB of disk for the batch's tables, and as much for sorts.
BATCH = {"max_events": 50_000, "max_first_events": 50_000}
HISTORY_BATCH = {"max_events": 100_000, "max_first_events": 1_000_000}
REBUILD_BATCH = {"max_events": None, "max_first_events": None}

# The vault: what opens the transaction, what is claimed from the queue, and how that is loaded. Hubs before links before
# satellites.
DDS_PREPARE = (LOAD_SETTINGS, "turn/dds/lock.sql")
DDS_CLAIM = ("batch/dds/batch_events.sql",)
DDS_LOAD = (
    "batch/dds/batch_orders.sql",
    "batch/dds/batch_lines.sql",
    "batch/dds/batch_sold.sql",
    "batch/dds/batch_references.sql",
    "batch/dds/batch_menus.sql",
    "batch/dds/batch_names.sql",
    "batch/dds/batch_changed_products.sql",
    "batch/dds/batch_new_products.sql",
    "turn/dds/suspend_keys.sql",
    "dds/h_order.sql",
    "dds/h_user.sql",
    "dds/h_product.sql",
    "dds/h_category.sql",
    "dds/h_restaurant.sql",
    "dds/l_order_user.sql",
    "dds/l_order_product.sql",
    "dds/l_product_category.sql",
    "dds/l_product_restaurant.sql",
    "dds/s_order_cost.sql",
    "dds/s_order_status.sql",
    "dds/s_user_names.sql",
    "dds/s_product_names.sql",
    "dds/s_restaurant_names.sql",
    "dds/es_order_user.sql",
    "dds/es_order_product.sql",
    "dds/es_product_category.sql",
    "turn/dds/restore_keys.sql",
    "dds/counter_queue.sql",
)

# The marts, the same way.
CDM_PREPARE = (LOAD_SETTINGS, "turn/cdm/lock.sql")
CDM_CLAIM = ("batch/cdm/batch_guests.sql", "batch/cdm/batch_rules.sql")
CDM_LOAD = (
    "batch/cdm/batch_closed_lines.sql",
    "batch/cdm/batch_products.sql",
    "batch/cdm/batch_products_before.sql",
    "batch/cdm/batch_categories_before.sql",
    "turn/cdm/suspend_keys.sql",
    "cdm/user_product_counters.sql",
    "cdm/user_category_counters.sql",
    "turn/cdm/restore_keys.sql",
    "cdm/product_totals.sql",
    "cdm/category_histogram.sql",
    "batch/cdm/batch_tags.sql",
    "settle/cdm/tag_events_revoked.sql",
    "cdm/tag_events.sql",
    "cdm/tag_days.sql",
    "cdm/user_tags.sql",
)

# The rules that people write: what they may name, and how one is set.
CDM_RULES_QUERY = ("ask/cdm/rule_categories.sql",)
CDM_RULES = ("cdm/tag_rules.sql",)

# What is stored, judged again by the rules of today: read whole, compared chunk by chunk, put right in one turn.
STG_JUDGE_QUERIES = ("ask/stg/order_event_log_all.sql", "ask/stg/reference_log_all.sql")
STG_JUDGE_PREPARE = (
    "batch/stg/incoming_orders.sql",
    "batch/stg/incoming_references.sql",
    "batch/stg/incoming_dead_letters.sql",
)
STG_JUDGE_CHUNK = ("batch/stg/judged_orders.sql", "batch/stg/judged_references.sql")
STG_JUDGE_LOAD = (STG_LOCK, "rebuild/stg/logs.sql", "rebuild/stg/sums.sql")

# What is queued or set right before a layer is built again; of STG always the sums.
STG_REBUILD = (STG_LOCK, "rebuild/stg/sums.sql")
DDS_REBUILD = ("rebuild/dds/queue.sql",)
CDM_REBUILD = ("rebuild/cdm/sums.sql", "rebuild/cdm/queue.sql")
