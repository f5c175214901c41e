"""`make grafana-smoke` as far as it goes here: a stand-in for Grafana over a real InfluxDB.

The stand-in passes each query on with Grafana's macros filled in and gives frames back; that the
real data source does the same is what the smoke run on a real Grafana is for.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import ROOT
from fake import V9, V13, FakeGrafana, Reply, fake_grafana
from influxql import filled, series
from provisioned import QUICK, settings_of
from servers import InfluxServer, influxd_server

from dashboards.build import dashboards
from dashboards.query_list import listed
from dashboards.shapes import MINUTES_DATABASE
from services import grafana_smoke, provision_wanted
from services.findings import Finding
from services.grafana import Grafana
from services.provision_wanted import kinds, wanted
from services.settings import load_settings

sys.path.append(str(ROOT / "tests" / "dashboards"))
from influx_seed import STEP_NS, lines, minute_lines

DATABASE = "telemetry"


@pytest.fixture(scope="module")
def store() -> Iterator[InfluxServer]:
    with influxd_server(DATABASE, MINUTES_DATABASE) as server:
        stop_ns = time.time_ns() // STEP_NS * STEP_NS
        server.write(DATABASE, lines(stop_ns))
        server.write(MINUTES_DATABASE, minute_lines(stop_ns))
        yield server


def through(store: InfluxServer, body: dict[str, Any]) -> Reply:
    """POST /api/ds/query: one frame for each series, columns as fields."""
    (query,) = body["queries"]
    window = f"time >= {body['from']}ms and time <= {body['to']}ms"
    frames = []
    for one in series(store, DATABASE, filled(query["query"], {}, window)):
        columns = [list(column) for column in zip(*one["values"], strict=True)]
        fields = [{"name": name} for name in one["columns"]]
        frames.append({"schema": {"fields": fields}, "data": {"values": columns}})
    return 200, {"results": {query["refId"]: {"status": 200, "frames": frames}}}


def smoked(grafana: FakeGrafana, out: Path) -> dict[str, Finding]:
    settings = settings_of(grafana)
    every = wanted(load_settings(influx_url="http://influxdb:8086"), settings)
    with Grafana(settings, QUICK) as door:
        found = grafana_smoke.smoke(door, kinds(door, settings, every), out)
        return {one.subject: one for one in found}


def test_all_is_well(store: InfluxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(grafana_smoke, "BROWSERS", ())  # the stand-in has no pages
    with fake_grafana(V13) as grafana:
        grafana.query = lambda body: through(store, body)
        found = smoked(grafana, tmp_path)
        assert [one for one in found.values() if not one.is_well] == []
        assert grafana.state.annotations == []
    asked = (tmp_path / "queries.tsv").read_text().splitlines()[1:]
    assert len(asked) == len(list(listed(dashboards())))
    assert [row for row in asked if not row.endswith("\tok")] == []


def test_what_is_not_well_is_named(
    store: InfluxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(grafana_smoke, "BROWSERS", ())
    for module in (grafana_smoke, provision_wanted):
        monkeypatch.setattr(module, "dashboards", lambda: dashboards()[:1])

    def answer(body: dict[str, Any]) -> Reply:
        if 'FROM "fleet_state"' in body["queries"][0]["query"]:
            return 200, {"results": {"A": {"status": 400, "error": "error parsing query"}}}
        return through(store, body)

    def ill(**_: Any) -> Reply:
        status, states = FakeGrafana.rule_states(grafana)
        states["data"]["groups"][0]["rules"][0] |= {"health": "error", "lastError": "no such field"}
        return status, states

    with fake_grafana(V9) as grafana:
        grafana.query = answer
        monkeypatch.setattr(grafana, "rule_states", ill)
        found = smoked(grafana, tmp_path)
    assert {one.subject for one in found.values() if not one.is_well} == {"queries", "rules"}
    assert "error parsing query" in found["queries"].detail
    assert "no such field" in found["rules"].detail
