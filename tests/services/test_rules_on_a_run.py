"""Rules on rows that the twin made: a real InfluxDB's answers against our evaluator's arrays.

`tests/dashboards/test_rules_influxql.py` does the same with planted rows, which reach every rule
and every threshold; here the rows are what a simulator sends of a fleet with faults.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest
from influxql import series, time_filters
from servers import InfluxServer, influxd_server
from watch_fixture import FLEET, RULES_OF_FLEETS, flown

from dashboards.rule_specs import RECORDED_WINDOW_S
from dashboards.rules_influxql import recorded_query, rule_query
from services.line_protocol import read_rows
from services.watch_output import age_heads, age_rows, breach_rows
from twin.alert_arrays import verdict
from twin.alert_conditions import TAGS, WATCH_MEASUREMENT
from twin.alert_history import History
from twin.alert_rule import Rule
from twin.alert_series import Breach
from twin.channels import BUS_MEASUREMENT
from twin.frames import open_batch
from twin.report_ages import FIELDS, NS_PER_S, ReportAges

DATABASE = "telemetry"
_KINDS = "T1 T3 T4 A1 A2 P1 P2 P4 R4 R5 R6 R7 W1 W2 N1 D1 D2 D4"
BROKEN = _KINDS.split()
_FAULT = "  - {kind: %s, onset_s: 60, duration_s: 300, severity: 1.0, satellites: [ring_%02d]}\n"
FAULTS = f"""
name: {FLEET}
description: Each satellite of a ring has another fault, the others none
epoch: 2026-10-01T00:00:00Z
seed: 11
step_s: 5
fleet:
  - {{id: mvp, preset: suncatcher-mvp, report_interval_s: 20}}
  - id: ring
    preset: starcloud-2
    report_interval_s: 10
    orbit: {{ring: {{count: {len(BROKEN) + 2}, altitude_km: 550, inclination_deg: 53}}}}
faults:
""" + "".join(_FAULT % (kind, row) for row, kind in enumerate(BROKEN, 1))
UNTIL_S = 600
EVERY_S = 60
Told = dict[tuple[str, ...], float]


@dataclass
class Run:
    """Rows of a run by measurement, in the order of time, and what is asked of them when."""

    lines: list[bytes] = field(default_factory=list)
    tables: list[tuple[int, str, dict[str, np.ndarray]]] = field(default_factory=list)
    first_ns: int = 0


@cache
def run() -> Run:
    """Everything that the simulator sent, and the ages that the watcher writes."""
    fleet, sent = flown(FAULTS, UNTIL_S)
    found = Run()
    for one in sent:
        if "/tlm/" in one.message.topic:
            body = open_batch(one.message.payload)[1]
            found.lines.append(body)
            for measurement, parts in read_rows(body).items():
                for table in (part.arrays() for part in parts):
                    found.tables.append((int(table["time"][0]), measurement, table))
    found.first_ns = min(time_ns for time_ns, _, _ in found.tables)
    ages = ReportAges(fleet.count)
    heads = age_heads(FLEET, fleet.satellite_ids, fleet.planes)
    reports = [row for row in found.tables if row[1] == BUS_MEASUREMENT]
    for time_ns in range(found.first_ns, found.first_ns + UNTIL_S * NS_PER_S, 10 * NS_PER_S):
        for _, _, table in [row for row in reports if time_ns - 10 * NS_PER_S < row[0] <= time_ns]:
            at = [fleet.satellite_ids.index(name) for name in table["sat"].tolist()]
            ages.hear(at, table["time"], time_ns)
        late = ages.at(time_ns)
        found.lines.append(age_rows(heads, late, time_ns))
        columns = dict(zip(FIELDS, late.T, strict=True))
        names = {"fleet": np.full(fleet.count, FLEET), "plane": np.array(fleet.planes)}
        names["sat"] = np.array(fleet.satellite_ids)
        found.tables.append((time_ns, WATCH_MEASUREMENT, names | columns))
    found.tables.sort(key=lambda row: row[0])
    return found


@cache
def told_by_arrays() -> dict[int, dict[str, Told]]:
    """Who is in breach of each rule and by what value, at each instant asked [ns]."""
    found: dict[int, dict[str, Told]] = {}
    rows: dict[str, dict[tuple[str, ...], int]] = {}
    for _, measurement, table in run().tables:
        if measurement in TAGS:
            known = rows.setdefault(measurement, {})
            for name in _names(measurement, table):
                known.setdefault(name, len(known))
    rules = [rule for rule in RULES_OF_FLEETS if rule.condition.measurement in rows]
    assert len(rules) > 60
    history = History([rule.condition for rule in rules], {m: len(k) for m, k in rows.items()})
    waiting = [row for row in run().tables if row[1] in TAGS]
    for asked_ns in instants():
        while waiting and waiting[0][0] <= asked_ns:
            time_ns, measurement, table = waiting.pop(0)
            columns = {k: v.astype(float) for k, v in table.items() if v.dtype.kind in "if"}
            at = np.array([rows[measurement][name] for name in _names(measurement, table)])
            history.observe(time_ns / NS_PER_S, measurement, columns, at)
        told = found[asked_ns] = {}
        for rule in rules:
            names = list(rows[rule.condition.measurement])
            said = verdict(rule.condition, history, asked_ns / NS_PER_S)
            told[rule.name] = {names[k]: float(said.value[k]) for k in np.flatnonzero(said.present)}
    return found


def _names(measurement: str, table: dict[str, np.ndarray]) -> list[tuple[str, ...]]:
    return list(zip(*(table[tag].tolist() for tag in TAGS[measurement]), strict=True))


def instants() -> list[int]:
    """When rules are asked: on their grid, a minute apart."""
    first_ns = run().first_ns
    return [first_ns + at_s * NS_PER_S for at_s in range(EVERY_S, UNTIL_S, EVERY_S)]


@pytest.fixture(scope="module")
def store() -> Iterator[InfluxServer]:
    with influxd_server(DATABASE) as server:
        for body in run().lines:
            server.write(DATABASE, body)
        yield server


def ask(store: InfluxServer, rule: Rule, text: str, age_s: float, asked_ns: int) -> Told:
    """The query's answer for the window (instant - window, instant], as on arrays."""
    start_ns = asked_ns - round(age_s * NS_PER_S) + 10**6
    window = time_filters(start_ns, asked_ns, round(age_s))["server"]
    answer = series(store, DATABASE, text.replace("$timeFilter", window))
    tags = TAGS[rule.condition.measurement]
    return {tuple(one["tags"][tag] for tag in tags): one["values"][0][1] for one in answer}


def recorded(rule: Rule, told: Told, asked_ns: int) -> bytes:
    """What the watch writes down of a rule at an instant."""
    heads = age_heads(FLEET, [name[2] for name in told], [name[1] for name in told])
    found = Breach(rule, np.arange(len(told)), np.array(list(told.values())))
    return breach_rows(heads, [found], asked_ns)


def test_the_store_and_the_arrays_say_the_same_of_a_run_with_faults(store: InfluxServer) -> None:
    told = told_by_arrays()
    breached = {name for rules in told.values() for name, who in rules.items() if who}
    assert len(breached) >= 20, sorted(breached)
    rules = [rule for rule in RULES_OF_FLEETS if rule.name in told[instants()[0]]]
    for asked_ns in instants():
        for rule in rules:
            expected = told[asked_ns][rule.name]
            text, age_s = rule_query(rule).text, rule.condition.window_s
            answer = ask(store, rule, text, age_s, asked_ns)
            assert set(answer) == set(expected), (rule.name, asked_ns)
            assert answer == pytest.approx(expected, rel=1e-6), (rule.name, asked_ns)


def test_what_the_watch_wrote_down_answers_as_the_telemetry_does(store: InfluxServer) -> None:
    told = told_by_arrays()
    rules = [rule for rule in RULES_OF_FLEETS if rule.scope == "satellite"]
    for asked_ns in instants():
        for rule in rules:
            store.write(DATABASE, recorded(rule, told[asked_ns][rule.name], asked_ns))
    for asked_ns in instants():
        for rule in rules:
            text = recorded_query(rule).text
            answer = ask(store, rule, text, RECORDED_WINDOW_S, asked_ns)
            assert answer == pytest.approx(told[asked_ns][rule.name]), (rule.name, asked_ns)
