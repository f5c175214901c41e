"""The few shapes of questions that panels ask of a store, as data.

Rendered to InfluxQL here, and by the console to SQL for the embedded store: one question, one
answer, whichever store there is. A shape always names the fleet, because one store may hold
several. Names come from the dictionaries; values only from dashboard variables.
"""

from dataclasses import dataclass
from typing import Literal

from twin.channels import (
    BUS_MEASUREMENT,
    FLEET_MINUTE_MEASUREMENT,
    PLANE_MINUTE_MEASUREMENT,
    SAT_MINUTE_MEASUREMENT,
)

Reduce = Literal["last", "first", "mean", "min", "max", "sum", "spread", "count"]
Change = Literal["", "difference", "per_s"]
Scope = Literal["fleet", "plane", "satellite", "services"]

OF_FLEET = "\"fleet\" = '${fleet:raw}'"
OF_PLANE = f"{OF_FLEET} AND \"plane\" = '${{plane:raw}}'"
OF_SATELLITE = f"{OF_FLEET} AND \"sat\" = '${{sat:raw}}'"
WHERE: dict[str, str] = {
    "fleet": OF_FLEET,
    "plane": OF_PLANE,
    "satellite": OF_SATELLITE,
    "services": "",
}


@dataclass(frozen=True)
class Cell:
    """One column: a field reduced over each interval, over another one, or its change.

    `change`: of a counter, from interval to interval; a counter that begins again counts as none.
    """

    label: str
    field: str
    reduce: Reduce = "last"
    over: str = ""  # divided by the same reduction of this field
    factor: float = 1.0
    change: Change = ""


@dataclass(frozen=True)
class OverTime:
    """Cells in buckets of $__interval; `by` splits into a series per value of a tag."""

    measurement: str
    cells: tuple[Cell, ...]
    scope: Scope = "fleet"
    by: str = ""
    where: tuple[tuple[str, str], ...] = ()  # further tags and their values
    series_limit: int = 1


@dataclass(frozen=True)
class Newest:
    """A flat table: one row per combination of tags, each cell reduced over the time range.

    `above`: only rows whose first cell is greater. `whole`: all cells from one row, the newest that
    has the first cell; plain fields only. It costs a store a third of asking for each field's own
    newest value, which is what counts where there is a row for every satellite.
    """

    measurement: str
    tags: tuple[str, ...]
    cells: tuple[Cell, ...]
    scope: Scope = "fleet"
    where: tuple[tuple[str, str], ...] = ()
    above: float | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError where a whole row is asked for something that is not in it."""
        plain = all(cell == Cell(cell.label, cell.field) for cell in self.cells)
        if self.whole and not plain:
            raise ValueError(f"{self.measurement}: a whole row has its newest fields, nothing else")


@dataclass(frozen=True)
class Ranked:
    """The `count` satellites whose newest value is lowest (`bottom`) or highest (`top`)."""

    field: str
    label: str
    pick: Literal["bottom", "top"]
    count: int


@dataclass(frozen=True)
class Track:
    """Raw positions of the chosen satellite in the order of time."""

    latitude: str
    longitude: str


@dataclass(frozen=True)
class Places:
    """Where counters of the chosen plane's satellites rose: minute, place, how much."""

    counters: tuple[str, ...]
    label: str
    latitude: str
    longitude: str


@dataclass(frozen=True)
class Rows:
    """Raw rows of a measurement: some of its tags and fields, newest first."""

    measurement: str
    columns: tuple[str, ...]
    limit: int = 200
    scope: Scope = "fleet"


Shape = OverTime | Newest | Ranked | Track | Places | Rows
MINUTES = (SAT_MINUTE_MEASUREMENT, PLANE_MINUTE_MEASUREMENT, FLEET_MINUTE_MEASUREMENT)
MINUTES_DATABASE = "telemetry_1m"
"""As TWIN_INFLUX_DATABASE_1M has it; who reads with another name puts that in (`of_database`)."""
TRACK_POINTS = 2000
PLACES_LIMIT = 1000


def influxql(shape: Shape) -> str:
    """The question in InfluxQL, with Grafana's macros. Raises ValueError for a series each sat."""
    if isinstance(shape, OverTime):
        return _over_time(shape)
    if isinstance(shape, Newest):
        return _newest(shape)
    if isinstance(shape, Ranked):
        return (
            f'SELECT {shape.pick}("value", "sat", {shape.count}) AS "{shape.label}", "plane" FROM '
            f'(SELECT last("{shape.field}") AS "value" FROM "{BUS_MEASUREMENT}" '
            f'WHERE {OF_FLEET} AND $timeFilter GROUP BY "sat", "plane")'
        )
    if isinstance(shape, Track):
        return (
            f'SELECT "{shape.latitude}" AS "lat", "{shape.longitude}" AS "lon" '
            f'FROM "{BUS_MEASUREMENT}" WHERE {OF_SATELLITE} AND $timeFilter '
            f"ORDER BY time ASC LIMIT {TRACK_POINTS}"
        )
    if isinstance(shape, Places):
        return _places(shape)
    picked = ", ".join(f'"{name}"' for name in shape.columns)
    return (
        f"SELECT {picked} FROM {_source(shape.measurement)} WHERE {_where(shape.scope, ())} "
        f"ORDER BY time DESC LIMIT {shape.limit}"
    )


def _source(measurement: str) -> str:
    """A measurement; minutes are in a database of their own."""
    name = f'"{measurement}"'
    return f'"{MINUTES_DATABASE}"..{name}' if measurement in MINUTES else name


def _where(scope: Scope, more: tuple[tuple[str, str], ...]) -> str:
    parts = [WHERE[scope], *(f"\"{tag}\" = '{value}'" for tag, value in more), "$timeFilter"]
    return " AND ".join(part for part in parts if part)


def _cell(cell: Cell) -> str:
    text = f'{cell.reduce}("{cell.field}")'
    if cell.change == "difference":
        text = f"non_negative_difference({text})"
    elif cell.change == "per_s":
        text = f"non_negative_derivative({text}, 1s)"
    if cell.over:
        text += f' / {cell.reduce}("{cell.over}")'
    if cell.factor != 1.0:
        text += f" * {cell.factor!r}"
    return f'{text} AS "{cell.label}"'


def _over_time(shape: OverTime) -> str:
    if shape.by == "sat":
        message = "a panel over time never splits by satellite; use a table or one satellite"
        raise ValueError(message)
    picked = ", ".join(map(_cell, shape.cells))
    group = f', "{shape.by}"' if shape.by else ""
    limit = f" SLIMIT {shape.series_limit}" if shape.by else ""
    where = _where(shape.scope, shape.where)
    return (
        f"SELECT {picked} FROM {_source(shape.measurement)} WHERE {where} "
        f"GROUP BY time($__interval){group} fill(none){limit}"
    )


def _newest(shape: Newest) -> str:
    tags = ", ".join(f'"{tag}"' for tag in shape.tags)
    outer = ", ".join(f'"{cell.label}"' for cell in shape.cells)
    only = "" if shape.above is None else f' WHERE "{shape.cells[0].label}" > {shape.above:g}'
    picked = [_cell(cell) for cell in shape.cells]
    if shape.whole:  # a selector's row brings its other fields along
        picked[1:] = [f'"{cell.field}" AS "{cell.label}"' for cell in shape.cells[1:]]
    return (
        f"SELECT {tags}, {outer} FROM (SELECT {', '.join(picked)} "
        f"FROM {_source(shape.measurement)} WHERE {_where(shape.scope, shape.where)} "
        f"GROUP BY {tags}){only}"
    )


def _places(shape: Places) -> str:
    rose = " + ".join(f'spread("{name}")' for name in shape.counters)
    return (
        f'SELECT "sat", "plane", "{shape.label}", "lat", "lon" FROM (SELECT '
        f'{rose} AS "{shape.label}", last("{shape.latitude}") AS "lat", '
        f'last("{shape.longitude}") AS "lon" FROM "{BUS_MEASUREMENT}" '
        f'WHERE {OF_PLANE} AND $timeFilter GROUP BY time(1m), "sat", "plane" fill(none)) '
        f'WHERE "{shape.label}" > 0 LIMIT {PLACES_LIMIT}'
    )


def of_database(text: str, name: str) -> str:
    """A query for another database of minutes; without a name for that of the connection."""
    return text.replace(f'"{MINUTES_DATABASE}"..', f'"{name}"..' if name else "")


def columns(shape: Shape) -> tuple[str, ...]:
    """Columns of the answer beside `time`."""
    if isinstance(shape, OverTime):
        return tuple(cell.label for cell in shape.cells)
    if isinstance(shape, Newest):
        return (*shape.tags, *(cell.label for cell in shape.cells))
    if isinstance(shape, Ranked):
        return (shape.label, "sat", "plane")
    if isinstance(shape, Track):
        return ("lat", "lon")
    if isinstance(shape, Places):
        return ("sat", "plane", shape.label, "lat", "lon")
    return shape.columns
