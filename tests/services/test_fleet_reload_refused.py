"""A changed scenario file that cannot be taken, or changes nothing: it is named, nobody is hurt."""

import logging
import math
import re
from pathlib import Path

import pytest
from changing_fleet import (
    FAULTS,
    HEAD,
    NEW,
    OLD,
    RING,
    changed,
    first_file,
    opened,
    ran,
    rows,
    started,
    text,
)

from services.metrics import Metrics
from services.resume import checkpoint_path
from services.runs import plan_simulation
from services.scenario_watch import ScenarioWatch
from services.simulator import Simulator
from twin.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return first_file(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[bytes, int], bytes]:
    """Rows of the run that hears of no change."""
    return rows(ran(started(first_file(tmp_path_factory.mktemp("undisturbed")))[0], 25))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (text(RING.replace("count: 4", "count: 5"), OLD), ":7: fleet.0.orbit: ring_2 would"),
        (text(RING.replace("altitude_km: 610", "altitude_km: 611"), OLD), "another orbit"),
        (text(RING, OLD.replace("_s: 2", "_s: 4")), r":11: fleet.1.report_interval_s: 4.0: old"),
        (
            text(RING, OLD.replace("starcloud-1", "suncatcher-pair-2027")),
            ":9: fleet.1.preset: suncatcher-pair",
        ),
        (text(RING, OLD, head=HEAD.replace("seed: 5", "seed: 6")), ":3: seed: another run"),
        (text(RING, OLD, head=HEAD.replace("12:00", "12:01")), ":2: epoch: another run"),
        (text(RING, OLD, head=HEAD + "step_s: 0.5\n"), ":4: step_s: another run"),
        (text(RING, OLD, after=FAULTS), ": faults: another run"),
        (text(RING, OLD, head=HEAD.replace("changing", "other")), ":1: name: another run"),
        (text(RING, OLD).replace("preset: starcloud-1", "preset: starcloud-one"), "did you mean"),
        (text(RING, OLD, RING), "duplicate id 'ring'"),
        (text(RING, NEW, OLD).replace("id: new", "id: ring_x").replace("fleet:", "flet:"), "flet"),
        ("fleet: [\n", "not YAML"),
    ],
)
def test_what_cannot_be_taken_is_named_and_hurts_nobody(
    path: Path,
    caplog: pytest.LogCaptureFixture,
    undisturbed: dict[tuple[bytes, int], bytes],
    wanted: str,
    said: str,
) -> None:
    one, watch = started(path)
    ran(one, 4)
    path.write_text(wanted)
    watch.reload()
    assert watch._metrics.reload_failures == 1
    assert re.search(said, caplog.text), caplog.text
    assert "stays as it was" in caplog.text
    assert rows(ran(one, 25)) == undisturbed


def test_a_fleet_in_parts_is_not_changed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Simulator(plan_simulation(opened(path), math.inf, None, None, (0, 2)))
    watch = ScenarioWatch(one, Metrics("simulate"))
    path.write_text(text(RING, NEW))
    watch.reload()
    assert watch._metrics.reload_failures == 1
    assert "fleet.1: another run" in caplog.text


def test_remarks_are_taken_and_the_same_file_is_nothing(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, watch = started(path, tmp_path)
    ran(one, 3)
    watch.reload()
    assert caplog.messages == []
    path.write_text(text(RING, OLD) + "# a remark\n")
    watch.reload()
    watch.reload()
    assert len(one.orders.to_obey) == 1
    ran(one, 25)
    undisturbed = ran(Simulator(one.plan), 25)
    assert rows(one) == rows(undisturbed)
    again, _ = started(path, tmp_path)  # the file with the remark is still this run
    assert again.plan.run_id == one.plan.run_id


def test_a_copy_that_is_gone_is_named(path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    one = changed(path, state, 3, 20)
    folder = checkpoint_path(state, one.plan).with_suffix(".scenarios")
    for found in folder.iterdir():
        found.write_text("# not what it was\n")
    with pytest.raises(ConfigurationError, match=r"copy of .*changing\.yaml is damaged"):
        started(path, state)
