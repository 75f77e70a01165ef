"""Hours of random streams against the model: `make soak`, or `python -m tests.soak --minutes 60`.

Each round gives the properties of tests/warehouse/test_streams.py a new seed; what differs is shrunk, printed and counted, and
the campaign goes on. The exit code is 1 where anything differed.
"""

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from itertools import count

os.environ["STREAMS_PROFILE"] = "long"
os.environ.setdefault("STREAMS_EXAMPLES", "100")
os.environ.setdefault("TEST_STACK_HOME", ".local-soak")

from hypothesis import seed

from harness.pipeline import Pipeline
from tests.conftest import own_stack, take_home
from tests.streams import TALLY, Broom
from tests.warehouse import test_streams

PROPERTIES = [value for name, value in vars(test_streams).items() if name.startswith("test_")]


def main() -> int:
    """Run until the time is up; return 1 where anything differed. A server that goes away ends the campaign instead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; printed")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    differences = 0
    started = time.monotonic()
    take_home()
    with contextmanager(own_stack)():
        for number in count(arguments.seed):
            for check in PROPERTIES:
                differences += not _holds(check, number)
            minutes = (time.monotonic() - started) / 60
            print(f"{minutes:.1f} minutes: {TALLY}; {differences} differences found", flush=True)
            if minutes >= arguments.minutes:
                break
    return min(differences, 1)


def _holds(check: Callable[..., None], number: int) -> bool:
    """Give a property the streams of a seed, over connections of its own: over one of hours each load is slower than the last."""
    with Pipeline() as pipeline:
        broom = Broom(pipeline)
        try:
            seed(number)(check)(broom=broom)
        except Exception:  # whatever it is, it is a finding
            if pipeline.etl.closed or pipeline.owner.closed:
                raise
            print(f"seed {number}: {check.__name__}\n{traceback.format_exc()}", flush=True)
            return False
        finally:
            broom.close()
    return True


if __name__ == "__main__":
    sys.exit(main())
