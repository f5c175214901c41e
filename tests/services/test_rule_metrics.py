"""Rules of the pipeline read fields of `ops` that the services really write."""

from pathlib import Path
from unittest.mock import MagicMock

import pytest

from services.dead_letters import DeadLetters
from services.ingest_metrics import watch_ingester
from services.ingester import Ingester
from services.metrics import Metrics
from services.pace import SYSTEM_CLOCK
from services.service_metrics import watch_simulator, watch_store
from twin.alert_conditions import OPS_MEASUREMENT
from twin.alerts import RULES, Rule


def written(folder: Path) -> dict[str, set[str]]:
    """Fields of `ops` by service, from the metrics that the services bind themselves to."""
    ingest, simulate, store = (Metrics(name) for name in ("ingest", "simulate", "store"))
    watch_ingester(ingest, Ingester(None, DeadLetters(folder / "d")), SYSTEM_CLOCK)  # type: ignore[arg-type]
    simulator = MagicMock()  # every number it is asked for is 1
    simulator.plan.run_id = "0"
    watch_simulator(simulate, simulator)
    watch_store(store, MagicMock())
    return {one.service: set(one.fields()) for one in (ingest, simulate, store)}


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if rule.condition.measurement == OPS_MEASUREMENT],
    ids=lambda rule: rule.name,
)
def test_one_service_writes_every_field_that_the_rule_reads(rule: Rule, tmp_path: Path) -> None:
    fields = {reading.field for reading in rule.condition.readings()}
    assert any(fields <= own for own in written(tmp_path).values()), fields


def test_a_histogram_that_has_seen_nothing_says_nothing() -> None:
    """A store takes the mean 0 / 0 of its sum and count for 0: a delay that nobody measured."""
    metrics = Metrics("ingest")
    names = {"e2e_latency_seconds_sum", "e2e_latency_seconds_count"}
    assert not names & metrics.fields().keys()
    metrics.e2e_latency_s.observe(0.25)
    found = metrics.fields()
    assert [found[name] for name in sorted(names)] == [1.0, 0.25]
