"""A live drill by Grafana from end to end, accelerated: mosquitto, influxd, the real simulator and
ingester, provisioned rules and routes on the stand-in, which asks the store with the rules' own
queries and sends webhooks to the drill; annotations come back to it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake import V13, FakeGrafana, fake_grafana
from fake_evaluator import Scheduler
from provisioned import QUICK, settings_of
from pydantic import SecretStr
from servers import InfluxServer, MosquittoServer, free_port, influxd_server, mosquitto_server

from services.drill_files import open_drill
from services.drill_grafana import GrafanaWatch
from services.drill_live import LiveMarks, run_live, scenario_text
from services.grafana import Grafana
from services.grafana_settings import GrafanaSettings
from services.ingest import run_ingest
from services.provision import apply, plan
from services.provision_wanted import Part, kinds, wanted
from services.runs import open_scenario, plan_simulation
from services.settings import Settings, load_settings
from services.simulate import run_simulate
from twin.alerts import RULES

RATE = 30.0
PARTS: tuple[Part, ...] = ("store", "rules", "routing")
TOKEN = "drill-token-of-more-than-16-characters"
NEVER = "0001-01-01T00:00:00Z"  # as Grafana says of a rule at which it has not looked yet
MOSQUITTO = "listener 1883 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"
ALLOWED = "".join(
    f"  - {{rule: {rule.name}, reason: it follows from the fault}}\n"
    for rule in RULES
    if rule.severity == "critical" and rule.name != "coolant_flow_lost"
)
DRILL = f"""
name: hot-loop
title: A pump stops and is back
about: One fault on one satellite of two, seen by one rule; what follows from it is allowed.
given:
  epoch: 2026-10-01T00:00:00Z
  seed: 7
  step_s: 10
  fleet:
    - {{id: sc, preset: starcloud-2, report_interval_s: 10}}
quiet_s: 150
run_s: 340
inject:
  - {{id: it, fault: T1, at_s: 150, duration_s: 80, satellites: [sc_1]}}
expect:
  - {{rule: coolant_flow_lost, of: it, within_s: 100}}
clear:
  - {{rule: coolant_flow_lost, of: it, within_s: 100}}
allow:
{ALLOWED}"""


@dataclass
class Stack:
    """Everything that runs beside a drill."""

    settings: Settings
    grafana: GrafanaSettings
    server: FakeGrafana
    scheduler: Scheduler
    store: InfluxServer
    path: str
    said: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def drilled(self) -> tuple[LiveMarks, GrafanaWatch]:
        """The drill, as `twin drill run --live --grafana` runs it."""
        drill, build = open_drill(self.path)
        heard = GrafanaWatch(self.grafana, ["coolant_flow_lost"], QUICK, 0.1, RATE)
        self.scheduler.behind_s = lambda: heard.told.behind_s if hasattr(heard, "told") else 0.0
        self.server.state.evaluated = NEVER
        both = await run_live(
            self.settings, drill, build, grafana=self.grafana, heard=heard, said=self._hear
        )
        return both, heard

    def _hear(self, line: str) -> None:
        self.said.append(line)
        self.begun.set()

    async def judge(self) -> None:
        """Grafana looks every 10 s of the rows' time, at instants that the store has whole."""
        next_s = 0.0
        while True:
            newest_s = await asyncio.to_thread(self.scheduler.newest_s, "drill-hot_loop")
            if next_s == 0.0 and newest_s > 0.0:
                next_s = newest_s
            while 0.0 < next_s < newest_s:
                await asyncio.to_thread(self.scheduler.evaluate, next_s)
                next_s += 10.0
            await asyncio.sleep(0.05)  # another process's rows


@asynccontextmanager
async def running(
    folder: Path, broker: MosquittoServer, store: InfluxServer, server: FakeGrafana
) -> AsyncIterator[Stack]:
    settings = load_settings(mqtt_url=broker.url, influx_url=store.url, state_dir=folder)
    address = f"127.0.0.1:{free_port()}"
    grafana = settings_of(server).model_copy(
        update={
            "alert_drill_url": f"http://{address}/drill",
            "drill_listen": address,
            "drill_token": SecretStr(TOKEN),
        }
    )
    with Grafana(grafana, QUICK) as door:
        every = kinds(door, grafana, wanted(settings, grafana), PARTS)
        apply(every)
        assert [one for one in plan(every) if one.is_drift] == [], "a token is no difference"
    path = folder / "hot-loop.yaml"
    path.write_text(DRILL)
    scenario = folder / "scenario.yaml"
    scenario.write_text(scenario_text(str(path)))
    own = settings.model_copy(
        update={"state_dir": folder / "sim", "scenario": str(scenario), "influx_url": None}
    )
    flight = plan_simulation(open_scenario(own), RATE, None, None)
    scheduler = Scheduler(server, store)
    stack = Stack(settings, grafana, server, scheduler, store, str(path))
    tasks = [
        asyncio.create_task(work)
        for work in (run_ingest(settings), run_simulate(own, flight, 1.0), stack.judge())
    ]
    try:
        yield stack
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_drill_by_grafana_agrees_with_off_line_and_is_healed_when_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.drill_live_run.BEHIND_LIMIT_S", float("inf"))  # accelerated
    with (
        mosquitto_server(MOSQUITTO) as broker,
        influxd_server("telemetry") as store,
        fake_grafana(V13) as server,
    ):
        async with running(tmp_path, broker, store, server) as stack:
            both, heard = await stack.drilled()
            of_first = list(server.state.annotations)
            stack.begun.clear()
            again = asyncio.create_task(stack.drilled())
            await asyncio.wait_for(stack.begun.wait(), 120.0)
            while "inject T1" not in stack.said[-1]:
                stack.begun.clear()
                await asyncio.wait_for(stack.begun.wait(), 120.0)
            again.cancel()  # as Ctrl-C does
            with pytest.raises(asyncio.CancelledError):
                await again
            asked = 'SELECT "text","kind" FROM "events"'
            rows = json.loads(store.query(asked, "telemetry"))["results"][0]["series"][0]["values"]
    assert both.live.score.failures == ()
    assert both.disagreements() == []
    (detection,) = both.live.score.detections
    assert detection.outcome == "seen" and detection.key == "sc_1"
    assert heard.told.found == {rule.name for rule in RULES} and heard.told.ill == {}
    kinds_of_first = [tag for one in of_first for tag in one["tags"] if tag.startswith("drill_")]
    assert {"drill_inject", "drill_detect", "drill_clear"} <= set(kinds_of_first)
    assert stack.said[-1] == "healed T1 on sc_1: command_done"
    assert any("drill_heal" in one["tags"] for one in server.state.annotations)
    assert {"drill_inject", "drill_detect", "drill_clear", "drill_heal"} <= {row[2] for row in rows}
    told = [(alert["status"], alert["labels"]["sat"]) for _, alert in stack.scheduler.sent
            if alert["labels"]["rule"] == "coolant_flow_lost"]  # fmt: skip
    assert told[:2] == [("firing", "sc_1"), ("resolved", "sc_1")]
    of_fleet = {receiver for receiver, alert in stack.scheduler.sent
                if alert["labels"].get("fleet") == "drill-hot_loop"}  # fmt: skip
    assert of_fleet == {"Twin: drill"}, "a drill pages nobody"
    assert stack.scheduler.answers.count(200) >= 2 and 401 not in stack.scheduler.answers
