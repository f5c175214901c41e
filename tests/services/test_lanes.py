"""Lanes of satellites that we do not simulate, and the mirror of those that we do."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from servers import influxd_server

from services.asyncapi import asyncapi_document
from services.batches import Batch
from services.dead_letters import DeadLetters, LetterFile
from services.foreign_lines import LineError, own_row
from services.ingester import Ingester
from services.lanes import Lanes, RefusedMessageError
from services.mirror import Mirror
from services.mqtt import Message
from services.runs import open_scenario, plan_simulation
from services.satellite_json import document_rows, documents_of, read_document
from services.settings import Settings, load_settings
from services.simulator import Simulator
from services.store import InfluxStore
from services.stored_rows import row_values
from services.topics import Topics, parse
from twin.channels import BUS_CHANNELS
from twin.errors import ConfigurationError
from twin.frames import FRAME_VERSION, FrameHeader, batch

LP = "fleet/v1/f/lp/gateway"
JSON = "fleet/v1/f/sat/A/tlm"
TELEGRAF = (
    b"sat_state,host=ground,plane=p1,sat=A,topic=x eps_soc_pct=71,eps_mode=2i 1777550400000000000\n"
    b"accel_state,accel=03,host=ground,sat=A accel_temp_c=55.5 1777550400000000000\n"
)
DOCUMENT = {
    "sat": "A",
    "plane": "p1",
    "t_ns": 1_777_550_400_000_000_000,
    "values": {"eps_soc_pct": 71, "eps_mode": 2},
    "accelerators": {"3": {"accel_temp_c": 55.5}},
}
OWN = (
    b"sat_state,fleet=f,plane=p1,sat=A eps_soc_pct=71.0,eps_mode=2i 1777550400000000000\n"
    b"accel_state,fleet=f,plane=p1,sat=A,accel=3 accel_temp_c=55.5 1777550400000000000\n"
)


def checked(topic: str, payload: bytes, lanes: Lanes | None = None) -> Batch:
    batch = (lanes or Lanes()).check(Message(topic, payload, False, lambda: None))
    assert batch is not None
    return batch


def test_lines_of_telegraf_become_rows_of_ours() -> None:
    batch = checked(LP, b"# a comment\n\n" + TELEGRAF)
    assert batch.body == OWN.replace(b",plane=p1,sat=A,accel", b",plane=unknown,sat=A,accel")
    assert (batch.lines, batch.frames, batch.values, batch.refused) == (2, 1, 3, ())


def test_a_document_becomes_rows_of_ours() -> None:
    batch = checked(JSON, orjson.dumps(DOCUMENT))
    assert batch.body == OWN
    assert (batch.lines, batch.frames, batch.values) == (2, 1, 3)
    assert batch.time_ns == DOCUMENT["t_ns"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"disk,sat=A used=1 1", "unknown measurement disk"),
        (b"sat_state,sat=A nonsense=1 1", "unknown channel nonsense"),
        (b"sat_state,sat=A eps_soc_pct=NaN 1", "not a finite number"),
        (b"sat_state,sat=A eps_soc_pct=1e999 1", "not a finite number"),
        (b"sat_state,sat=A eps_soc_pct=true 1", "not a finite number"),
        (b'sat_state,sat=A eps_soc_pct="1" 1', "text or escapes"),
        (b"sat_state,sat=A\\,fleet\\=g eps_soc_pct=1 1", "text or escapes"),
        (b"sat_state,sat=A,sat=B eps_soc_pct=1 1", "sat twice"),
        (b"sat_state,sat=A eps_soc_pct=1,eps_soc_pct=2 1", "a field twice"),
        (b"sat_state,fleet=g,sat=A eps_soc_pct=1 1", "another fleet"),
        (b"sat_state eps_soc_pct=1 1", "no tag sat"),
        (b"sat_state,sat= eps_soc_pct=1 1", "only letters"),
        (b"sat_state,sat=A eps_mode=1.5 1", "a whole number"),
        (b"sat_state,sat=A eps_mode=1e300 1", "a whole number"),
        (b"sat_state,sat=A eps_soc_pct=1", "fields stamp"),
        (b"sat_state,sat=A eps_soc_pct=1 -5", "stamp"),
        (b"sat_state,sat=A eps_soc_pct=1 99999999999999999999", "stamp"),
        (b"accel_state,sat=A accel_temp_c=1 1", "no tag accel"),
        (b"sat_state,sat=\xff eps_soc_pct=1 1", "not ASCII"),
        (b"sat_state,sat=A eps_soc_pct=" + b"1" * 70_000 + b" 1", "longer"),
    ],
)
def test_a_bad_line_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(LineError, match=reason):
        own_row(line, "f")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "document"),
        (b"[" * 200_000, "document"),
        (b"[]", "document"),
        (b'{"sat": "A"', "document"),
        (b"\xff\xfe", "document"),
        (orjson.dumps(DOCUMENT | {"sat": "B"}), "document of B on another topic"),
        (orjson.dumps(DOCUMENT | {"more": 1}), "more: "),
        (orjson.dumps(DOCUMENT | {"values": {"nonsense": 1}}), "values.nonsense"),
        (orjson.dumps(DOCUMENT | {"values": {"eps_soc_pct": True}}), "values.eps_soc_pct"),
        (orjson.dumps(DOCUMENT | {"values": {"eps_mode": 1.5}}), "values.eps_mode"),
        (orjson.dumps(DOCUMENT | {"values": {}, "accelerators": {}}), "values: none"),
        (orjson.dumps(DOCUMENT | {"t_ns": -1}), "t_ns"),
        (orjson.dumps(DOCUMENT | {"t_ns": 2**63}), "t_ns"),
        (orjson.dumps(DOCUMENT | {"t_ns": 1.5}), "t_ns"),
        (orjson.dumps(DOCUMENT | {"plane": "a,b=c"}), "plane"),
        (orjson.dumps(DOCUMENT | {"accelerators": {"x": {}}}), "accelerators"),
        (b'{"sat":"A","t_ns":1,"values":{"eps_soc_pct":NaN}}', "finite|document"),
        (b'{"sat":"A","t_ns":1,"values":{"eps_soc_pct":1e999}}', "finite|document"),
    ],
)
def test_a_bad_document_is_refused_with_its_place(payload: bytes, reason: str) -> None:
    with pytest.raises(RefusedMessageError, match=reason):
        checked(JSON, payload)


GOOD = b"sat_state,fleet=f,sat=A x=1.0,y=2i 5\n"


@pytest.mark.parametrize(
    "row",
    [
        b"sat_state,fleet=f,sat=A  5\n",
        b" x=1.0 5\n",
        b"sat_state,fleet=f,sat=A x=1.0 \n",
        b"sat_state,fleet=f,sat=A x=1.0\n",
        b"sat_state,fleet=f,sat=A x=1.0 5 6\n",
        b"\n",
        b"sat_state,fleet=f,sat=A x=1.0\t5\n",
        b"sat_state,fleet=f,sat=A\rx=1.0 5\n",
        b"sat_state,fleet=f,sat=A x=1.0\x00 5\n",
        b"sat_state,fleet=f,sat=A x=1.0 5\r\n",
        b"sat_state,fleet=f,sat=A x=1.0 y=5\n",
    ],
)
def test_a_row_of_our_own_lane_is_head_fields_and_stamp(row: bytes) -> None:
    def own(body: bytes) -> Batch | None:
        header = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 5, 1, 0, 0)
        return checked("fleet/v1/f/tlm/s0000", batch(header, body))

    good = own(GOOD + GOOD)
    assert good is not None and good.values == 4
    for body in (row, GOOD + row, row + GOOD):
        with pytest.raises(RefusedMessageError):
            own(body)


@pytest.mark.parametrize("stamp", [b"x", b"5x", b"-", b"12345678901234567890123"])
def test_a_stamp_is_a_whole_number_however_many_rows_have_it(stamp: bytes) -> None:
    def own(*stamps: bytes) -> Batch | None:
        header = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 5, 1, 0, 0)
        body = b"".join(b"sat_state,fleet=f,sat=A x=1.0 %b\n" % one for one in stamps)
        return checked("fleet/v1/f/tlm/s0000", batch(header, body))

    for good in ((b"5", b"5"), (b"5", b"6"), (b"5", b"-16")):
        accepted = own(*good)
        assert accepted is not None and accepted.lines == 2
    for bad in ((stamp, stamp), (b"5", stamp), (b"5", b"6", stamp)):
        with pytest.raises(RefusedMessageError, match="whole number"):
            own(*bad)


@pytest.mark.parametrize("lines", [-1, 0, 1, 3])
def test_a_batch_with_other_rows_than_its_header_says_is_refused(lines: int) -> None:
    header = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 5, 1, 0, 0)
    payload = batch(header, GOOD + GOOD, lines)
    with pytest.raises(RefusedMessageError, match=f"header says {lines}") as refused:
        checked("fleet/v1/f/tlm/s0000", payload)
    assert refused.value.kind == "frame"


@given(st.binary(max_size=200))
def test_law_any_bytes_are_stored_in_order_or_refused(payload: bytes) -> None:
    for topic in (LP, JSON, "fleet/v1/f/tlm/s0000"):
        try:
            batch = checked(topic, payload)
        except RefusedMessageError as error:
            assert error.kind in {"frame", "owner", "schema"}
        else:
            assert batch.refused or batch.body


FLOATS = [channel.name for channel in BUS_CHANNELS if not channel.is_integer]


@given(
    st.dictionaries(st.sampled_from(FLOATS), st.floats(allow_nan=False, allow_infinity=False)),
    st.integers(0, 2**63 - 1),
)
def test_law_values_survive_both_ways(values: dict[str, float], time_ns: int) -> None:
    if not values:
        return
    document = {"sat": "A", "t_ns": time_ns, "values": values}
    body = document_rows("f", read_document(orjson.dumps(document)))
    mirrored = orjson.loads(documents_of(body, frozenset({"A"}), "run")["A"])
    assert mirrored["values"] == values
    assert mirrored["t_ns"] == time_ns
    assert own_row(body.rstrip(b"\n"), "f")[1] == body


def test_a_foreign_publisher_may_not_name_a_simulated_satellite() -> None:
    simulator = small_simulator()
    simulator.turn()
    lanes, fleet = Lanes(), simulator.fleet.name
    for owed in simulator.outbox.take():
        checked(simulator.topics.telemetry(owed.shard), owed.payload, lanes)
    satellite = simulator.fleet.satellite_ids[0]
    line = b"sat_state,sat=%s eps_soc_pct=1 5\n" % satellite.encode()
    with pytest.raises(RefusedMessageError, match="another shard"):
        checked(Topics(fleet).lines("gateway"), line, lanes)
    document = {"sat": satellite, "t_ns": 5, "values": {"eps_soc_pct": 1.0}}
    with pytest.raises(RefusedMessageError, match="another shard"):
        checked(Topics(fleet).mirror(satellite), orjson.dumps(document), lanes)
    mirror = document | {"run": simulator.plan.run_id}
    batch = checked(Topics(fleet).mirror(satellite), orjson.dumps(mirror), lanes)
    assert batch.body == b""  # its rows come in the batches


def small_simulator() -> Simulator:
    settings = Settings(scenario="flown-2026", epoch="2026-10-01T00:00:00Z")
    return Simulator(plan_simulation(open_scenario(settings), np.inf, None, None))


@dataclass
class Wire:
    """A connection that keeps what is published, and ends when it has enough."""

    wanted: int
    published: list[tuple[str, bytes]] = field(default_factory=list)
    full: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert not retain
        self.published.append((topic, payload))
        if len(self.published) == self.wanted:
            self.full.set()


async def test_the_mirror_says_what_the_batches_say_and_fits_its_schema() -> None:
    simulator = small_simulator()
    chosen = simulator.fleet.satellite_ids[0], "kepler_01"
    mirror = Mirror(simulator.topics, frozenset(chosen), simulator.plan.run_id)
    simulator.on_report = mirror.note
    for _ in range(3):
        simulator.turn()
    batches = b"".join(o.payload.partition(b"\n")[2] for o in simulator.outbox.take())
    wire = Wire(6)
    sending = asyncio.create_task(mirror.send(wire))  # type: ignore[arg-type]
    await asyncio.wait_for(wire.full.wait(), 20.0)
    sending.cancel()
    api = asyncapi_document()
    schema = api["components"]["schemas"]["SatelliteTelemetry"] | {"components": api["components"]}
    for topic, payload in wire.published:
        address = parse(topic)
        assert address is not None
        document = orjson.loads(payload)
        jsonschema.validate(document, schema)
        rows = document_rows(address.fleet, read_document(payload)).splitlines()
        for row in rows:
            head, cells, stamp = row.split(b" ")
            (same,) = [
                line
                for line in batches.splitlines()
                if line.startswith(head + b" ") and line.endswith(b" " + stamp)
            ]
            assert values_of(cells) == values_of(same.split(b" ")[1])
    assert {parse(topic).leaf for topic, _ in wire.published} == set(chosen)  # type: ignore[union-attr]


def values_of(cells: bytes) -> dict[bytes, float]:
    pairs = (cell.split(b"=") for cell in cells.split(b","))
    return {name: float(value.rstrip(b"i")) for name, value in pairs}


def test_a_mirror_of_nobody_is_refused() -> None:
    from services.mirror import mirror_of

    settings = load_settings(mirror_satellites="kepler_01, nobody")
    with pytest.raises(ConfigurationError, match="TWIN_MIRROR_SATELLITES: no satellite nobody"):
        mirror_of(settings, small_simulator())


def test_every_reference_of_the_document_leads_somewhere() -> None:
    api = asyncapi_document()
    assert api["asyncapi"] == "3.0.0"

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    found: Any = api
                    for part in value.removeprefix("#/").split("/"):
                        found = found[part]
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(api)
    for channel in api["channels"].values():
        for name in channel["parameters"]:
            assert f"{{{name}}}" in channel["address"]
    assert yaml.safe_load(Path("docs/asyncapi.yaml").read_text("utf-8")) == yaml.safe_load(
        yaml.safe_dump(api)
    )


@pytest.fixture
async def influx() -> AsyncIterator[InfluxStore]:
    with influxd_server() as server:
        async with InfluxStore(load_settings(influx_url=server.url)) as store:
            await store.prepare()
            yield store


async def test_val_foreign_telemetry_in_real_influxdb_is_stored_once_and_bad_lines_kept(
    influx: InfluxStore, tmp_path: Path
) -> None:
    ingester = Ingester(influx, DeadLetters(tmp_path / "d.db"))
    writer = asyncio.create_task(ingester.write_for_ever())
    acknowledged: list[int] = []
    bad = b"sat_state,sat=A nonsense=1 1777550400000000000\n"
    sent = [(LP, TELEGRAF.replace(b"accel_state,", b"accel_state,plane=p1,") + bad)] * 2
    sent += [(JSON, orjson.dumps(DOCUMENT))] * 2
    for number, (topic, payload) in enumerate(sent):
        done = Message(topic, payload, False, lambda number=number: acknowledged.append(number))  # type: ignore[misc]
        await ingester.receive(done)
    async with asyncio.timeout(20.0):
        while sorted(acknowledged) != [0, 1, 2, 3]:  # noqa: ASYNC110 - any state may be waited for
            await asyncio.sleep(0.001)
    writer.cancel()
    found = await row_values(influx, "sat_state", "f", 0, 2**62)
    key = ((("fleet", "f"), ("plane", "p1"), ("sat", "A")), DOCUMENT["t_ns"])
    assert found == {key: {"eps_mode": 2, "eps_soc_pct": 71.0}}
    assert len(await row_values(influx, "accel_state", "f", 0, 2**62)) == 1
    letters = [*LetterFile(tmp_path / "d.db").read()]
    assert [one.reason for one in letters] == ["unknown channel nonsense"] * 2
    assert [one.payload for one in letters] == [bad] * 2
    assert math.isclose(ingester.counts.frames_stored, 4)
