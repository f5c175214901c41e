"""`twin gaps`: the store against what a run must have issued, and the missing rows made again.

A run is a pure function of scenario, seed and epoch, so what should be in the store need not have
been kept anywhere: it is simulated again, without its clock, and compared row by row. A missing
row is written with the bytes that it had. Before anything is written, rows that are there are
compared too: where they differ this is not the run that was stored, and nothing is touched.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from services.poison import Guard
from services.regenerate import issued
from services.runs import OpenedScenario
from services.settings import Settings
from services.store import Store, StoreUnavailableError, open_store
from services.stored_rows import Tags, row_times, row_values
from twin.errors import DependencyUnavailableError, TwinError

CHUNK_ROWS = 20_000
COMPARED_ROWS = 400
REQUEST_ROWS = 2_000
STORE_PATIENCE_S = 60.0


class AnotherRunError(TwinError):
    """The store holds rows of this fleet and time that this run would not have issued."""

    exit_code = 1


@dataclass(frozen=True)
class Row:
    """One row that the run must have issued."""

    measurement: str
    tags: Tags
    time_ns: int
    line: bytes

    def facts(self) -> dict[str, object]:
        """For JSON: the row's key."""
        return {"measurement": self.measurement, **dict(self.tags), "time_ns": self.time_ns}


@dataclass
class Audit:
    """What was found, and what was done about it."""

    rows_expected: int = 0
    rows_missing: int = 0
    rows_repaired: int = 0
    rows_refused: int = 0
    satellites: dict[str, int] = field(default_factory=dict)  # missing rows of each


@dataclass(frozen=True)
class Question:
    """Which part of which run; what to do about holes; whom to tell."""

    opened: OpenedScenario
    duration_s: float
    since_s: float
    repairs: bool
    on_hole: Callable[[Row], None]
    on_tick: Callable[[int, int], None]  # ticks simulated, ticks in all


async def audit(settings: Settings, question: Question) -> Audit:
    """Compare the store with the run; write what is missing where that is asked for.

    Raises DependencyUnavailableError for a store that is not there, AnotherRunError.
    """
    result = Audit()
    try:
        async with open_store(settings) as store:
            await store.prepare()
            for rows in _chunks(settings, question):
                async with asyncio.timeout(STORE_PATIENCE_S):
                    await _compare(store, question, rows, result)
    except (StoreUnavailableError, TimeoutError) as error:
        address = settings.store_url or settings.influx_url
        raise DependencyUnavailableError(f"store {address}: {error or 'no answer'}") from None
    return result


def _chunks(settings: Settings, question: Question) -> Iterator[list[Row]]:
    """The rows of the run in order, some ten thousand at a time."""
    ticks = issued(
        settings, question.opened, question.duration_s, question.since_s, question.on_tick
    )
    rows: list[Row] = []
    for batches in ticks:
        for batch in batches:
            rows += map(_row, batch.payload.splitlines(keepends=True)[1:])
        if len(rows) >= CHUNK_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _row(line: bytes) -> Row:
    head, _, rest = line.partition(b" ")
    measurement, *pairs = head.decode().split(",")
    tags = sorted(tuple(pair.split("=", 1)) for pair in pairs)
    return Row(measurement, tuple(tags), int(rest.rpartition(b" ")[2]), line)  # type: ignore[arg-type]


def _values(line: bytes) -> dict[str, float | int]:
    """Fields of a row of ours: numbers only."""
    cells = line.split(b" ")[1].decode().split(",")
    pairs = (cell.split("=") for cell in cells)
    return {k: int(v[:-1]) if v.endswith("i") else float(v) for k, v in pairs}


def _field_of_all(rows: list[Row]) -> str:
    """A field that every one of these rows has; a lost sensor leaves its field out."""
    for name in reversed(_values(rows[0].line)):
        start, later = f" {name}=".encode(), f",{name}=".encode()
        if all(later in row.line or start in row.line for row in rows):
            return name
    raise AssertionError(f"{rows[0].measurement}: no field is in every row")


async def _compare(store: Store, question: Question, rows: list[Row], result: Audit) -> None:
    fleet = question.opened.build.fleet.name
    missing: list[Row] = []
    for measurement in dict.fromkeys(row.measurement for row in rows):
        mine = [row for row in rows if row.measurement == measurement]
        start_ns, stop_ns = min(r.time_ns for r in mine), max(r.time_ns for r in mine)
        probe = _field_of_all(mine)
        there = await row_times(store, measurement, probe, fleet, start_ns, stop_ns)
        gone = [row for row in mine if row.time_ns not in there.get(row.tags, ())]
        kept = [row for row in mine if row.time_ns in there.get(row.tags, ())]
        if gone and kept and question.repairs:
            await _refuse_another_run(store, fleet, kept[-COMPARED_ROWS:])
        missing += gone
    result.rows_expected += len(rows)
    result.rows_missing += len(missing)
    for row in missing:
        name = dict(row.tags).get("sat", row.measurement)
        result.satellites[name] = result.satellites.get(name, 0) + 1
        question.on_hole(row)
    if question.repairs:
        await _repair(store, missing, result)


async def _refuse_another_run(store: Store, fleet: str, kept: list[Row]) -> None:
    """Raises AnotherRunError if the store's rows are not those that this run makes."""
    start_ns, stop_ns = min(r.time_ns for r in kept), max(r.time_ns for r in kept)
    there = await row_values(store, kept[0].measurement, fleet, start_ns, stop_ns)
    for row in kept:
        ours, theirs = _values(row.line), there[row.tags, row.time_ns]
        if ours != theirs:
            name = next(k for k in sorted(ours | theirs) if ours.get(k) != theirs.get(k))
            raise AnotherRunError(
                f"the store has {name}={theirs.get(name)} in {row.measurement} of "
                f"{dict(row.tags).get('sat', fleet)} at {row.time_ns}, this run makes "
                f"{ours.get(name)}: another scenario, seed or epoch, or commands that are not in "
                "this state directory; "
                "nothing was written"
            )


async def _repair(store: Store, missing: list[Row], result: Audit) -> None:
    guard = Guard(store)
    for first in range(0, len(missing), REQUEST_ROWS):
        lines = [row.line for row in missing[first : first + REQUEST_ROWS]]
        reason = await guard.write(b"".join(lines))
        bad = {} if reason is None else await guard.isolate(lines, reason)
        result.rows_repaired += len(lines) - len(bad)
        result.rows_refused += len(bad)


def print_hole(row: Row) -> None:
    """One hole as a line of JSON."""
    print(orjson.dumps(row.facts()).decode())  # noqa: T201
