"""Limits changed while a run is on: in force at the next tick and kept; bad files are named."""

import math
from pathlib import Path

import numpy as np
import pytest

from services.command_log import CommandLog
from services.limits import LimitsFile, read_limits
from services.metrics import Metrics
from services.runs import OpenedScenario, open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from twin.channel_limits import dictionary_limits, limit_violations, limits_with
from twin.checkpoint import from_bytes, to_bytes
from twin.errors import ConfigurationError
from twin.frames import open_batch

SCENARIO = """
name: limited
epoch: 2026-03-20T12:00:00Z
fleet:
  - id: one
    preset: starcloud-1
    orbit: {ring: {count: 3, altitude_km: 550, inclination_deg: 53}}
"""
TIGHT = "fleets:\n  limited:\n    eps_soc_pct: {critical_low: 99.99, warning_low: 99.995}\n"


@pytest.fixture
def opened(tmp_path: Path) -> OpenedScenario:
    path = tmp_path / "limited.yaml"
    path.write_text(SCENARIO)
    return open_scenario(Settings(scenario=str(path)))


def started(opened: OpenedScenario, log: Path | None = None) -> Simulator:
    one = Simulator(plan_simulation(opened, math.inf, None, None))
    if log is not None:
        one.follow(CommandLog(log, one.plan.run_id))
    return one


def ran(one: Simulator, until: int) -> Simulator:
    while one.tick < until:
        one.turn()
    return one


def health(one: Simulator) -> dict[int, set[str]]:
    """sat_health of every satellite by tick."""
    found: dict[int, set[str]] = {}
    for owed in one.outbox:
        for line in open_batch(owed.payload)[1].decode().splitlines():
            if line.startswith("sat_state"):
                tick = (int(line.rpartition(" ")[2]) - one.epoch_ns) // 10**9
                value = line.partition("sat_health=")[2].partition("i")[0]
                found.setdefault(tick, set()).add(value)
    return found


def bodies(one: Simulator) -> dict[tuple[str, int], bytes]:
    return {(owed.shard, owed.seq): open_batch(owed.payload)[1] for owed in one.outbox}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fleets: {f: {eps_soc: {warning_low: 5}}}\n", ":1: fleets.f.eps_soc: .*'eps_soc_pct'"),
        (
            "fleets:\n  f:\n    sat_health: {warning_low: 5}\n",
            ":3: fleets.f.sat_health: no channel",
        ),
        ("fleets:\n  f:\n    eps_soc_pct: {warning_lo: 5}\n", ":3: .*warning_lo"),
        ("fleets:\n  f:\n    eps_soc_pct: {warning_low: 101}\n", ":3: .*outside .*range, 0 to 100"),
        (
            "fleets:\n  f:\n    eps_soc_pct: {critical_low: 60, warning_low: 50}\n",
            "is above warning",
        ),
        ("fleets:\n  f:\n    eps_soc_pct: {warning_low: .nan}\n", ":3: "),
        ("fleets: [\n", "not YAML"),
        ("", "must be a mapping"),
    ],
)
def test_a_bad_file_is_named_by_line_and_key(
    opened: OpenedScenario, tmp_path: Path, text: str, said: str
) -> None:
    path, metrics = tmp_path / "limits.yaml", Metrics("simulate")
    path.write_text(TIGHT)
    one = started(opened)
    limits = LimitsFile(path, one, metrics)
    before, told = metrics.config_hash, one.orders.limits
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_limits(path)
    for failures in range(1, 4):
        limits.reload()
        assert metrics.reload_failures == failures
    assert (metrics.config_hash, one.orders.limits) == (before, told)
    path.unlink()
    limits.reload()
    assert metrics.reload_failures == 4
    with pytest.raises(ConfigurationError):
        LimitsFile(path, started(opened), metrics)


def test_limits_are_in_force_from_the_next_tick_on_and_kept_with_the_run(
    opened: OpenedScenario, tmp_path: Path
) -> None:
    path, log = tmp_path / "limits.yaml", tmp_path / "a.commands"
    path.write_text("fleets: {}\n")
    one = started(opened, log)
    limits = LimitsFile(path, one, Metrics("simulate"))
    assert one.orders.obeyed == []  # nothing differs from the dictionary
    ran(one, 4)
    path.write_text(TIGHT)
    limits.reload()
    limits.reload()  # the same again is no change
    taken = to_bytes(ran(one, 6).checkpoint() or pytest.fail("no checkpoint"))
    sent = bodies(one).keys()
    path.write_text("fleets: {limited: {eps_soc_pct: {critical_low: null, warning_low: null}}}\n")
    limits.reload()
    ran(one, 9)
    assert [order.tick for order in one.orders.obeyed] == [4, 6]
    told = health(one)
    assert [told[tick] for tick in range(9)] == [{"0"}] * 4 + [{"2"}] * 2 + [{"0"}] * 3
    # Made again from the epoch, and from a checkpoint, with what the run has kept: the same bytes.
    assert bodies(ran(started(opened, log), 9)) == bodies(one)
    again = Simulator(plan_simulation(opened, math.inf, None, None))
    again.resume(from_bytes(taken))
    again.follow(CommandLog(log, again.plan.run_id))
    LimitsFile(path, again, Metrics("simulate"))  # what is to come is known: no third order
    later = {key: body for key, body in bodies(one).items() if key not in sent}
    assert bodies(ran(again, 9)) == later != {}
    assert [order.tick for order in again.orders.obeyed] == [4, 6]


def test_limits_do_not_come_over_the_broker(opened: OpenedScenario) -> None:
    one = started(opened)
    body = b'{"id": "x", "command": "set_limits", "limits": {}}'
    assert b"command_refused" in one.obey("all", body)


def test_limits_are_changed_where_named_and_nowhere_else() -> None:
    table, own = limits_with({"eps_soc_pct": {"warning_low": 77.0}}), dictionary_limits()
    assert table.names == own.names
    place = table.names.index("eps_soc_pct")
    differs = np.argwhere(~np.isclose(table.limits, own.limits, equal_nan=True)).tolist()
    assert differs == [[1, place]]
    free = limits_with({name: dict.fromkeys(ALL) for name in own.names})
    assert free.names == ()
    values = {name: np.array([1e9, -1e9]) for name in own.names}
    assert limit_violations(values, free)[1].tolist() == [0, 0]
    assert limit_violations(values)[1].min() > 0


ALL = ("warning_low", "warning_high", "critical_low", "critical_high")
