"""DDS: the order-sized tables can be filled for the first time without keys, which the same transaction puts back."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """DDS: the order-sized tables can be filled for the first time without keys, which the same transaction puts back."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
