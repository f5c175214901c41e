"""Nothing that a sender writes reaches a series of somebody else (S4).

A sender with every right of its own lane puts hostile text into every place of a row: names,
tags, fields, stamp, line ends. What the ingester's checks let through is written to a real
InfluxDB, which is then asked what series it has. The texts come from Hypothesis, and beside them
the ones that are known to have worked elsewhere.
"""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import InfluxServer, influxd_server

from services.dead_letters import DeadLetters
from services.ingest import Ingester
from services.lanes import Lanes, RefusedMessageError
from services.mqtt import Message
from services.settings import load_settings
from services.store import InfluxStore
from twin.frames import FRAME_VERSION, FrameHeader, batch, row_template

FLEET, SENDER, VICTIM = "flown-2026", "sat-a", "Sat1"
TOPIC = f"fleet/v1/{FLEET}/tlm/{SENDER}"
TIME_NS = 1_700_000_000_000_000_000
PARTS = ("sat_state", "fleet", FLEET, "plane", "p", "sat", SENDER, "eps_soc_pct", "50.0")
ROW = "{},{}={},{}={},{}={} {}={} {}"
PLACES = len(PARTS) + 1  # and the stamp
KNOWN = (
    f" eps_soc_pct=1.0 {TIME_NS}\nsat_state,fleet={FLEET},plane=p,sat={VICTIM} eps_soc_pct=9.0",
    f"\r\nsat_state,fleet={FLEET},sat={VICTIM} eps_soc_pct=9.0",
    f",sat={VICTIM}",
    f"\\,sat={VICTIM}",
    f"\\ ,sat={VICTIM}",
    f"{VICTIM}\x00",
    '"',
    '"x y=1"',
    "\\",
    "\\\\",
    "\t",
    "#",
    "\u2028",
    "\x85",
    "\x0b\x0c\x1c",
    "NaN",
    "1e999",
    "t",
    "1u",
    "=",
    ",",
    " ",
    "",
    "'; DROP DATABASE telemetry --",
    "\ufeff",
    "time=1",
    "9" * 40,
    "-1",
)
EVIL = st.text(
    st.sampled_from(list(",= \n\r\t\"\\'#\0\x0b\x85\u2028aé漢Z19_-.:+i")), max_size=12
) | st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
CASES_MINIMUM = 10_000


def hostile_rows(text: str) -> list[str]:
    """One row for each place and way (in place of what is there, and behind it)."""
    rows = []
    for place in range(PLACES):
        for kept in ("", "kept"):
            cells = [*PARTS, str(TIME_NS + len(rows))]
            cells[place] = cells[place] + text if kept else text
            rows.append(ROW.format(*cells))
    return rows


def message_of(row: str, seq: int = 0, run: str = "run") -> bytes:
    """A batch whose header says of it what is true."""
    body = row.encode() + b"\n"
    return batch(FrameHeader(FRAME_VERSION, FLEET, run, SENDER, seq, 0, TIME_NS, 1, 0, 0), body)


@cache
def corpus() -> list[str]:
    """Hostile texts, the known ones first."""
    texts: list[str] = list(KNOWN)

    @settings(
        max_examples=300,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(EVIL, min_size=8, max_size=24))
    def collect(found: list[str]) -> None:
        texts.extend(found)

    collect()
    return list(dict.fromkeys(texts))


def let_through(lanes: Lanes, payload: bytes, topic: str = TOPIC) -> bytes | None:
    """The rows that the ingester would write; None for a message that it refuses."""
    try:
        checked = lanes.check(Message(topic, payload, False, lambda: None))
    except RefusedMessageError:
        return None
    assert checked is not None
    return checked.body


def series_of(store: InfluxServer) -> list[str]:
    """Keys of all series."""
    answer = json.loads(store.query("SHOW SERIES", "telemetry"))
    return [row[0] for row in answer["results"][0]["series"][0]["values"]]


def test_hostile_text_in_every_place_stays_in_the_senders_own_series() -> None:
    lanes, cases, bodies = Lanes(), 0, []
    for number, text in enumerate(corpus()):
        for row in hostile_rows(text):
            # A run of its own each time: a name once claimed must not be what saves us.
            body = let_through(lanes, message_of(row, run=f"r{number}"))
            cases += 1
            if body is not None:
                bodies.append(body)
    assert cases >= CASES_MINIMUM
    assert 0 < len(bodies) < cases
    with influxd_server("telemetry") as store:
        victim = f"sat_state,fleet={FLEET},plane=p,sat={VICTIM}"
        store.write("telemetry", f"{victim} eps_soc_pct=77.0 {TIME_NS}\n")
        written = write_one_by_one_where_refused(store, bodies)
        assert written > 0
        for key in series_of(store):
            if key == victim:
                continue
            _, *tags = key.split(",")
            assert f"fleet={FLEET}" in tags, key
            assert f"sat={SENDER}" in tags, key
            assert "\\" not in key
        kept = json.loads(
            store.query(f"SELECT * FROM sat_state WHERE sat = '{VICTIM}'", "telemetry")
        )
        (series,) = kept["results"][0]["series"]
        assert len(series["values"]) == 1
        assert 77.0 in series["values"][0]
        names = json.loads(store.query("SHOW DATABASES"))["results"][0]["series"][0]["values"]
        assert [row[0] for row in names if row[0] != "_internal"] == ["telemetry"]


def hostile_documents(text: str) -> list[bytes]:
    """JSON of one satellite with the text in each place that takes text."""
    whole: dict[str, Any] = {
        "sat": SENDER,
        "plane": "p",
        "run": "r",
        "t_ns": TIME_NS,
        "values": {"eps_soc_pct": 50.0},
        "accelerators": {"0": {"accel_temp_c": 50.0}},
    }
    found = [whole | {key: text} for key in ("sat", "plane", "run", "t_ns")]
    found += [whole | {key: whole[key] + text} for key in ("sat", "plane")]
    found += [whole | {text: 1.0}, whole | {"values": {text: 1.0, "eps_soc_pct": 1.0}}]
    found += [whole | {"values": {"eps_soc_pct": text}}]
    found += [whole | {"accelerators": {text: {"accel_temp_c": 1.0}}}]
    found += [whole | {"accelerators": {"0": {text: 1.0, "accel_temp_c": 1.0}}}]
    return [json.dumps(one).encode() for one in found]


def test_hostile_documents_and_foreign_lines_name_nobody_but_whom_they_may() -> None:
    """The publisher may name satellites that no simulator has; the document, only its own."""
    lanes, bodies, own, cases = Lanes(), [], [], 0
    victim = f"sat_state,fleet={FLEET},plane=p,sat={VICTIM} eps_soc_pct=77.0 {TIME_NS}"
    body = victim.encode() + b"\n"
    header = FrameHeader(FRAME_VERSION, FLEET, "run", "s0000", 0, 0, TIME_NS, 1, 0, 0)
    simulator = f"fleet/v1/{FLEET}/tlm/s0000"
    assert let_through(lanes, batch(header, body), simulator) == body
    for text in corpus():
        for payload in hostile_documents(text):
            cases += 1
            topic = f"fleet/v1/{FLEET}/sat/{SENDER}/tlm"
            own.append(let_through(lanes, payload, topic) or b"")
        for row in hostile_rows(text)[::2]:
            cases += 1
            topic = f"fleet/v1/{FLEET}/lp/telegraf"
            bodies.append(let_through(lanes, row.encode() + b"\n", topic) or b"")
    assert cases >= CASES_MINIMUM
    with influxd_server("telemetry") as store:
        assert write_one_by_one_where_refused(store, [one for one in own if one]) > 0
        heads = {key.partition(",")[0]: key for key in series_of(store)}
        assert heads.keys() <= {"sat_state", "accel_state"}
        for key in series_of(store):
            assert {f"fleet={FLEET}", f"sat={SENDER}"} <= set(key.split(",")), key
        store.write("telemetry", body)
        assert write_one_by_one_where_refused(store, [one for one in bodies if one]) > 0
        for key in series_of(store):
            assert f"fleet={FLEET}" in key.split(","), key
        kept = json.loads(
            store.query(f"SELECT eps_soc_pct FROM sat_state WHERE sat = '{VICTIM}'", "telemetry")
        )
        assert kept["results"][0]["series"][0]["values"] == [[TIME_NS, 77.0]]


def write_one_by_one_where_refused(store: InfluxServer, bodies: list[bytes]) -> int:
    """Write all; halve what the store refuses, as the ingester does. Returns how many it took."""
    written, pending = 0, [bodies]
    while pending:
        part = pending.pop()
        try:
            store.write("telemetry", b"".join(part))
            written += len(part)
        except OSError:
            if len(part) > 1:
                half = len(part) // 2
                pending += [part[:half], part[half:]]
    return written


async def test_the_ingester_stores_the_good_and_keeps_every_bad_message_as_a_dead_letter(
    tmp_path: Path,
) -> None:
    rows = [row for text in KNOWN for row in hostile_rows(text)]
    lanes = Lanes()
    bad = {seq for seq, row in enumerate(rows) if let_through(lanes, message_of(row, seq)) is None}
    assert len(bad) > len(KNOWN)
    good_row = ROW.format(*PARTS, "{}")
    acknowledged: list[int] = []
    with influxd_server("telemetry") as server:
        letters = DeadLetters(tmp_path / "dead.db")
        async with InfluxStore(load_settings(influx_url=server.url)) as store:
            await store.prepare()
            ingester = Ingester(store, letters)
            writer = asyncio.create_task(ingester.write_for_ever())
            for seq in sorted(bad):
                for number, text in ((2 * seq, rows[seq]), (2 * seq + 1, good_row)):
                    payload = message_of(text.replace("{}", str(TIME_NS + seq)), number)
                    note = acknowledged.append
                    await ingester.receive(
                        Message(TOPIC, payload, False, lambda n=number, f=note: f(n))  # type: ignore[misc]
                    )
            async with asyncio.timeout(60):
                while len(acknowledged) < 2 * len(bad):  # noqa: ASYNC110 - its state is asked
                    await asyncio.sleep(0.005)
            writer.cancel()
        answer = json.loads(server.query("SELECT count(eps_soc_pct) FROM sat_state", "telemetry"))
        assert answer["results"][0]["series"][0]["values"][0][1] == len(bad)
        assert series_of(server) == [f"sat_state,fleet={FLEET},plane=p,sat={SENDER}"]
    assert letters.count == len(bad)
    assert sorted(acknowledged) == sorted(n for seq in bad for n in (2 * seq, 2 * seq + 1))


@pytest.mark.parametrize(
    ("topic", "row", "said"),
    [
        (TOPIC, ROW.format(*PARTS[:6], VICTIM, *PARTS[7:], TIME_NS), "from a lane of its own"),
        (TOPIC, f"fleet_state,fleet={FLEET} x=1.0 {TIME_NS}", "a row of no satellite"),
        (TOPIC, f"sat_state,fleet=other,sat={SENDER} x=1.0 {TIME_NS}", "of another fleet"),
        (f"fleet/v1/{FLEET}/tlm/s0000", ROW.format(*PARTS, TIME_NS), "on another topic"),
        (f"fleet/v1/other/tlm/{SENDER}", ROW.format(*PARTS, TIME_NS), "on another topic"),
    ],
)
def test_who_speaks_for_somebody_else_is_refused(topic: str, row: str, said: str) -> None:
    lanes = Lanes()
    for run in ("run", "a run of its own"):
        with pytest.raises(RefusedMessageError, match=said):
            lanes.check(Message(topic, message_of(row, run=run), False, lambda: None))


@given(st.dictionaries(st.sampled_from(["fleet", "plane", "sat", "accel"]), EVIL, min_size=1))
def test_our_own_rows_refuse_a_name_that_would_need_an_escape(tags: dict[str, str]) -> None:
    """At the source: satellite, plane, fleet, accelerator. What is let through reads back."""
    try:
        head = row_template("sat_state", tags)
    except ValueError:
        return
    pairs = [pair.split("=") for pair in head.decode().split(",")[1:]]
    assert dict(pairs) == tags
    assert not set(head) & set(b" \n\r\t\"\\'\0")
