"""Every rule's query on a real InfluxDB 1.x: the same verdict as our evaluator on the same rows.

It does not prove that Grafana evaluates the answer as we do; the states are a port of its source.
"""

import time
from collections.abc import Iterator
from itertools import chain

import pytest
from influxql import series, time_filters
from rule_rows import REPORTS, fired, rows, rule_columns, step_of, tag_values
from servers import InfluxServer, influxd_server

from dashboards.rules_influxql import condition_query, rule_query
from twin.alert_conditions import BUS_MEASUREMENT, Condition, Threshold, last
from twin.alert_rule import Rule
from twin.alerts import RULES
from twin.state import FloatArray

DATABASE = "telemetry"
STOP_NS = time.time_ns() // 10**11 * 10**11


def start_ns(rule: Rule) -> int:
    """So that the last report of the rule is at STOP_NS."""
    return STOP_NS - round(REPORTS * step_of(rule) * 1e9)


@pytest.fixture(scope="module")
def columns() -> dict[str, dict[str, FloatArray]]:
    return {rule.name: rule_columns(rule, step_of(rule)) for rule in RULES}


@pytest.fixture(scope="module")
def store(columns: dict[str, dict[str, FloatArray]]) -> Iterator[InfluxServer]:
    with influxd_server(DATABASE) as server:
        lines = chain.from_iterable(
            rows(rule, columns[rule.name], start_ns(rule), step_of(rule)) for rule in RULES
        )
        text = "\n".join(lines) + "\n"
        # Division by zero: one series whose divisor is 0.
        text += f"sat_state,fleet=zero,plane=zero,sat=zero eps_soc_pct=3,eps_dod_pct=0 {STOP_NS}\n"
        server.write(DATABASE, text)
        yield server


def ask(store: InfluxServer, text: str, window_s: float) -> list[dict[str, str]]:
    """Tags of the series in breach; the window is (stop - window, stop], as on arrays."""
    window = time_filters(STOP_NS - round(window_s * 1e9) + 10**6, STOP_NS, 0)["server"]
    answer = series(store, DATABASE, text.replace("$timeFilter", window))
    for one in answer:
        assert one["columns"] == ["time", "v"]
        assert len(one["values"]) == 1
        assert isinstance(one["values"][0][1], float | int)
    return [one["tags"] for one in answer]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_query_and_arrays_agree_on_who_is_in_breach(
    store: InfluxServer, columns: dict[str, dict[str, FloatArray]], rule: Rule
) -> None:
    told = fired(rule, columns[rule.name], step_of(rule))
    assert told.fires.any() and not told.fires.all(), "the rows must have both verdicts"
    found = ask(store, rule_query(rule).text, rule.condition.window_s)
    ours = [tags for tags in found if next(iter(tags.values())).startswith(f"{rule.name}-")]
    assert {tuple(tags.values()) for tags in ours} == {
        tuple(tag_values(rule, number).values())
        for number, present in enumerate(told.present)
        if present
    }


def test_a_division_by_zero_is_zero_in_the_store_as_on_arrays(store: InfluxServer) -> None:
    ratio = Condition(
        BUS_MEASUREMENT,
        last("eps_soc_pct") / last("eps_dod_pct"),
        below=Threshold(0.5, "test"),
    )
    assert {"fleet": "zero", "plane": "zero", "sat": "zero"} in ask(
        store, condition_query(ratio), 60.0
    )
