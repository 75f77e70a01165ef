"""Dead letters on a distributed warehouse."""

from tests.operators.test_replay_dead_letters import *  # noqa: F403 - all of them, here
