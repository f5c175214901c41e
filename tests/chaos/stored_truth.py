"""The oracle of real runs: what the fleet must have sent, recomputed, against what is stored.

The truth comes from scenario and seed alone, in this process, after the run. Every row that
InfluxDB returns is compared field by field: floats bit for bit, integers exactly.
"""

import math
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.runs import open_scenario, plan_simulation
from services.settings import Settings
from services.simulator import Simulator
from twin.channels import BUS_MEASUREMENT
from twin.frames import open_batch

DATABASE, MINUTES = "telemetry", "telemetry_1m"
Key = tuple[str, tuple[tuple[str, str], ...]]
"""Measurement and tags."""
Row = tuple[Key, int]
"""Series and time stamp [ns]."""
Fields = dict[str, float | int]


@dataclass
class Verdict:
    """What became of every row."""

    issued: int = 0
    stored: int = 0
    lost: int = 0
    unknown: int = 0  # rows that nobody sent, second rows of a satellite and time among them
    corrupt: int = 0
    values: int = 0
    example: str = ""  # of what is corrupt

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.unknown or self.corrupt) and self.issued == self.stored > 0

    @property
    def short(self) -> str:
        """Lost, double and corrupt, of how many."""
        return f"{self.lost}, {self.unknown}, {self.corrupt} of {self.issued:,} rows"

    def __str__(self) -> str:
        return (
            f"{self.issued:,} rows issued, {self.stored:,} stored, {self.lost:,} lost, "
            f"{self.unknown:,} unknown or double, {self.corrupt:,} corrupt, {self.values:,} values"
            f"{self.example and '; first: '}{self.example}"
        )


class Influx:
    """Questions to a real InfluxDB 1.x."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/query"
        self.write_url = f"http://127.0.0.1:{port}/write?db={DATABASE}&precision=ns"

    def ask(
        self, influxql: str, database: str = DATABASE, method: str = "GET"
    ) -> list[dict[str, Any]]:
        """Series of one statement. Raises OSError while the store is not there."""
        query = urllib.parse.urlencode({"db": database, "epoch": "ns", "q": influxql})
        asked = urllib.request.Request(f"{self.url}?{query}", method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            body = answer.read()
        # JSON has -0, which a reader takes for the integer 0: the sign would be lost here.
        for end in (b",", b"]"):
            body = body.replace(b",-0" + end, b",-0.0" + end).replace(b",-0" + end, b",-0.0" + end)
        result = orjson.loads(body)["results"][0]
        if "error" in result:
            raise OSError(result["error"])
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def takes(self, stamp_ns: int) -> bool:
        """Whether it takes a row of this time: it keeps spans of time apart, and their errors."""
        row = b"ops,service=canary probe=1.0 %d\n" % stamp_ns
        try:
            with urllib.request.urlopen(self.write_url, row, timeout=60) as answer:
                return bool(answer.status == 204)
        except OSError:
            return False

    def count_until(self, stop_ns: int, start_ns: int = 0) -> int:
        """Rows of sat_state in this span; -1 while the store does not answer."""
        try:
            found = self.ask(
                f'SELECT count("tm_seq") FROM "sat_state" '
                f"WHERE time >= {start_ns} AND time <= {stop_ns}"
            )
        except OSError:
            return -1
        return int(found[0]["values"][0][1]) if found else 0


def truth(scenario: str, duration_s: float) -> dict[Row, bytes]:
    """Fields of every row, as line protocol, from the scenario alone."""
    opened = open_scenario(Settings(scenario=scenario))
    simulator = Simulator(plan_simulation(opened, math.inf, None, None))
    rows: dict[Row, bytes] = {}
    for _ in range(math.ceil(duration_s / simulator.step_s)):
        if simulator.tick:
            simulator._advance()
        simulator._report()
        for owed in list(simulator.outbox):
            for line in open_batch(owed.payload)[1].splitlines():
                head, cells, stamp = line.split(b" ")
                rows[_key(head.decode()), int(stamp)] = cells
            simulator.outbox.release(owed.shard, owed.seq)
        simulator.tick += 1
    return rows


def _key(head: str) -> Key:
    measurement, *tags = head.split(",")
    pairs = (tag.partition("=") for tag in tags)
    return measurement, tuple(sorted((name, value) for name, _, value in pairs))


def _fields(cells: bytes) -> Fields:
    """`a=1.5,b=2i` read as JSON, which is several times faster than cell by cell."""
    numbers = (cells + b",").replace(b"i,", b",")[:-1]
    text = b'{"' + numbers.replace(b"=", b'":').replace(b",", b',"') + b"}"
    fields: Fields = orjson.loads(text)
    return fields


def judge(store: Influx, scenario: str, duration_s: float, others: tuple[str, ...] = ()) -> Verdict:
    """Everything that was to be sent against everything that is stored, but of other fleets."""
    owed = truth(scenario, duration_s)
    verdict = Verdict(issued=len(owed))
    tags = sorted({name for (_, pairs), _ in owed for name, _ in pairs})
    planes = sorted({dict(tags)["plane"] for (name, tags), _ in owed if name == BUS_MEASUREMENT})
    parts = [f"\"{BUS_MEASUREMENT}\" WHERE plane = '{plane}'" for plane in planes]
    parts += [f'"{BUS_MEASUREMENT}" WHERE plane !~ /^({"|".join(planes)})$/']
    for database in (DATABASE, MINUTES):
        names = {
            row[0] for one in store.ask("SHOW MEASUREMENTS", database) for row in one["values"]
        }
        chosen = sorted(names - {BUS_MEASUREMENT, "ops"})
        parts += [f'"{database}".."{name}"' for name in chosen]
    for part in parts:
        for row, found in _rows(store, part, tags):
            cells = owed.pop(row, None)
            if cells is None:
                verdict.unknown += dict(row[0][1]).get("fleet") not in others
                continue
            expected = _fields(cells)
            verdict.stored += 1
            verdict.values += len(expected)
            if not _equal(expected, found):
                verdict.corrupt += 1
                verdict.example = verdict.example or _difference(row, expected, found)
    verdict.lost = len(owed)
    return verdict


def _rows(store: Influx, part: str, tag_names: Sequence[str]) -> Iterator[tuple[Row, Fields]]:
    measurement = part.partition("..")[2].strip('"') or part.split('"')[1]
    for series in store.ask(f"SELECT * FROM {part}"):
        columns = series["columns"]
        for values in series["values"]:
            cells = {
                name: value
                for name, value in zip(columns, values, strict=True)
                if value is not None
            }
            time_ns = cells.pop("time")
            tags = tuple(sorted((name, cells.pop(name)) for name in tag_names if name in cells))
            yield ((measurement, tags), time_ns), cells


def _equal(expected: Fields, found: Fields) -> bool:
    """The same fields; floats the same 64 bits (JSON writes 1.0 as 1), integers the same."""
    if expected != found:
        return False
    # Of equal numbers only the two zeros differ in their bits.
    zeros = [name for name, value in expected.items() if value == 0.0]
    return all(
        math.copysign(1.0, expected[name]) == math.copysign(1.0, found[name]) for name in zeros
    )


def _difference(row: Row, expected: Fields, found: Fields) -> str:
    names = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    told = [f"{name} {expected.get(name)!r} is {found.get(name)!r}" for name in names[:4]]
    return f"{dict(row[0][1])} {row[1]}: {', '.join(told)}"
