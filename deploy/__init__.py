"""Where it runs: the programs of a deployment, its charts, machines and bills. Each is `python -m deploy.<name>`."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.append(str(REPO / "plugins"))  # as Airflow does
