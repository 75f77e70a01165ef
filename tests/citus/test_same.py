"""What holds of a plain warehouse holds of a distributed one: the same steps, and the same model beside them."""

from hypothesis import HealthCheck, Phase, given, settings

from tests.citus.seen import SeenPipeline
from tests.streams import Run, Settle, Step, broken_laws, streams

# A statement on several nodes takes its time: few streams, and a failing one is shown as it is.
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


# Nobody is erased from a distributed warehouse.
@FEW
@given(stream=streams(length=12, people=False))
def test_after_any_stream_the_warehouse_equals_the_model(seen: SeenPipeline, stream: list[Step]) -> None:
    seen.clear()
    Run(seen).play([*stream, Settle()])
    assert broken_laws(seen.etl) == {}


@FEW
@given(stream=streams(length=6, people=False))
def test_a_replay_of_any_stream_changes_no_row(seen: SeenPipeline, stream: list[Step]) -> None:
    seen.clear()
    run = Run(seen)
    run.play(stream)
    run.replay()
