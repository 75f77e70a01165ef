"""The drain's peak memory, measured in a process of its own: `python -m bench.memory TOPIC` prints MiB before and after."""

import json
import sys

from bench.world import peak_memory_mib
from harness.runs import backfill


def main() -> None:
    """Drain a topic's history and print the process's memory."""
    topic, chunk_messages = sys.argv[1], int(sys.argv[2])
    before = peak_memory_mib()
    counts = backfill(topic, chunk_messages=chunk_messages)
    print(json.dumps({"messages": counts["messages"], "before_mib": before, "peak_mib": peak_memory_mib()}))


if __name__ == "__main__":
    main()
