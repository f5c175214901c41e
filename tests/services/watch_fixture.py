"""Telemetry of a real simulator as the watcher's messages, without a broker and without a clock."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from services.line_protocol import read_rows
from services.mqtt import Message
from services.outgoing import Outgoing
from services.runs import open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from services.topics import Topics
from services.watermark import Outbox, Owed
from twin.alert_rule import INTERVAL_S
from twin.alert_states import Evaluator, Series, Transition
from twin.alerts import RULES
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.frames import open_batch
from twin.report_ages import NS_PER_S, ReportAges, watch_columns
from twin.state import Fleet

RULES_OF_FLEETS = [rule for rule in RULES if rule.scope != "pipeline"]
FLEET = "watched"
COOLANT_LOST = """
name: watched
description: Three satellites; the coolant of one stops after 100 s and comes back
epoch: 2026-10-01T00:00:00Z
seed: 7
step_s: 5
fleet:
  - {id: sc, preset: starcloud-2, report_interval_s: 10}
  - {id: mvp, preset: suncatcher-mvp, report_interval_s: 20}
faults:
  - {kind: T1, onset_s: 100, duration_s: 200, severity: 1.0, satellites: [sc_1]}
"""
UNTIL_S = 600


class Sent(NamedTuple):
    """One message and when it leaves [s after the epoch]."""

    at_s: float
    message: Message


class Taken(Outbox):
    """An outbox that is never full: what it is given is kept as messages."""

    def __init__(self) -> None:
        super().__init__(2**40)
        self.messages: list[Sent] = []
        self.outgoing: Outgoing | None = None
        self.now_s = 0.0

    def add(self, owed: Owed) -> None:
        assert self.outgoing is not None
        topic = self.outgoing.topic(owed)
        self.messages.append(Sent(self.now_s, message(topic, self.outgoing.payload(owed))))


def message(topic: str, payload: bytes, *, retained: bool = False) -> Message:
    return Message(topic, payload, retained, lambda: None)


@cache
def flown(text: str = COOLANT_LOST, until_s: int = UNTIL_S) -> tuple[Fleet, tuple[Sent, ...]]:
    """A scenario flown as the service flies it, and everything it sends."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(text)
        plan = plan_simulation(open_scenario(Settings(scenario=str(path))), 1.0, until_s, None)
    outbox = Taken()
    simulator = Simulator(plan, outbox)
    outbox.outgoing = simulator.outgoing
    while simulator.tick * simulator.step_s < until_s:
        outbox.now_s = simulator.tick * simulator.step_s
        simulator.turn()
    for satellite, payload in simulator.state_messages.items():
        topic = Topics(FLEET).state(satellite)
        outbox.messages.append(Sent(outbox.now_s, message(topic, payload)))
    return simulator.fleet, tuple(outbox.messages)


def reference(fleet: Fleet, sent: tuple[Sent, ...], until_s: float) -> list[Transition]:
    """The same rules on the same rows, read by the store's reader, without waiting for anybody."""
    series = Series(fleet.name, fleet.satellite_ids, fleet.planes)
    evaluator, ages = Evaluator(series, RULES_OF_FLEETS), ReportAges(fleet.count)
    names = {
        BUS_MEASUREMENT: ("sat", list(fleet.satellite_ids)),
        PLANE_MEASUREMENT: ("plane", list(series.plane_names)),
        FLEET_MEASUREMENT: ("fleet", [fleet.name]),
    }
    rows = []
    for one in sent:
        if "/tlm/" not in one.message.topic:
            continue
        for measurement, parts in read_rows(open_batch(one.message.payload)[1]).items():
            if measurement in names:
                rows += [(measurement, part.arrays()) for part in parts]
    rows.sort(key=lambda row: int(row[1]["time"][0]))
    first_s = rows[0][1]["time"][0] / NS_PER_S
    changes: list[Transition] = []
    time_s = first_s
    while time_s <= first_s + until_s:
        for measurement, table in [row for row in rows if row[1]["time"][0] <= time_s * NS_PER_S]:
            tag, known = names[measurement]
            at = [known.index(name) for name in table[tag].tolist()]
            columns = {k: v.astype(float) for k, v in table.items() if v.dtype.kind in "if"}
            del columns["time"]
            evaluator.observe(
                table["time"][0] / NS_PER_S, {measurement: columns}, {measurement: np.array(at)}
            )
            if measurement == BUS_MEASUREMENT:
                ages.hear(at, table["time"], int(table["time"][0]))
        rows = [row for row in rows if row[1]["time"][0] > time_s * NS_PER_S]
        table = ages.at(round(time_s * NS_PER_S))
        evaluator.observe(time_s, watch_columns(table, ages.silence(table)))
        changes += evaluator.evaluate(time_s)
        time_s += INTERVAL_S
    return changes
