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
