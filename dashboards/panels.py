"""The typed specification of a dashboard: what is shown, not how a product writes it down.

Emitters turn it into files (`grafana_json` today); tests read it for the list of queries.
Nothing here knows a channel: titles, units, limits and colours come from `dashboards.style`,
which reads them from the telemetry dictionary.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from dashboards.shapes import Shape

PanelKind = Literal[
    "row",
    "stat",
    "gauge",
    "bargauge",
    "timeseries",
    "state-timeline",
    "status-history",
    "heatmap",
    "histogram",
    "table",
    "geomap",
]
ResultFormat = Literal["time_series", "table"]

GRID_COLUMNS = 24
"""Columns of Grafana's grid; a panel's x + width never passes it."""

SERIES_LIMIT = 300
"""Most series that any query may return, however large the fleet."""


@dataclass(frozen=True)
class Grid:
    """Place of a panel in grid cells; y and height in rows of 30 px."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Step:
    """From `value` upward the colour is `colour`; None is minus infinity (the base step)."""

    value: float | None
    colour: str


@dataclass(frozen=True)
class StateText:
    """What an integer code of a state channel reads as, and its colour everywhere."""

    code: int
    text: str
    colour: str


@dataclass(frozen=True)
class FieldStyle:
    """How values are shown; `name` picks one column or series, None is the whole panel."""

    unit: str
    name: str | None = None
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    steps: tuple[Step, ...] = ()
    states: tuple[StateText, ...] = ()
    limit_lines: bool = False
    colour: str | None = None
    link: str | None = None
    hidden: bool = False


@dataclass(frozen=True)
class QuerySpec:
    """One InfluxQL query. `text` may use $timeFilter, $__interval and the variables.

    What it promises, and `dashboards.query_list` hands to whoever runs it: the columns of the
    answer beside `time`, and the most series there can be.
    """

    text: str
    ref_id: str = "A"
    result: ResultFormat = "time_series"
    alias: str = "$col"
    columns: tuple[str, ...] = ()
    series_limit: int = 1
    shape: Shape | None = None


@dataclass(frozen=True)
class MapLayer:
    """One layer of a map: markers or a route over the frame of one query."""

    kind: Literal["markers", "route"]
    name: str
    ref_id: str
    colour_field: str | None = None
    size_field: str | None = None
    colour: str | None = None


@dataclass(frozen=True)
class Organise:
    """Grafana's transformation of the same name: columns left out, and the order of the rest."""

    hidden: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class PanelSpec:
    """One panel, or a heading (`row`) without queries.

    `key` is stable; the panel's number in the file follows from the order.
    """

    key: str
    kind: PanelKind
    title: str
    description: str
    grid: Grid
    queries: tuple[QuerySpec, ...]
    style: FieldStyle
    overrides: tuple[FieldStyle, ...] = ()
    layers: tuple[MapLayer, ...] = ()
    stacked: bool = False
    sort_by: str | None = None
    sort_descending: bool = False
    organise: Organise | None = None
    bar_rows: bool = False
    """A bar gauge with one bar per row of its table, not per series."""
    min_interval: str = "10s"
    time_from: str = ""
    """The newest stretch only, whatever the dashboard shows: for what is so now."""
    no_value: str = ""
    """What an empty panel says, where emptiness has a reason that is not plain."""


@dataclass(frozen=True)
class VariableSpec:
    """A drop-down filled by an InfluxQL query; one value at a time, never all at once."""

    name: str
    label: str
    query: str


@dataclass(frozen=True)
class AnnotationSpec:
    """Marks on every panel over time; texts come from columns of the answer."""

    name: str
    query: QuerySpec
    colour: str
    text_column: str
    tags_column: str
    enabled: bool = True


@dataclass(frozen=True)
class DashboardSpec:
    """One dashboard; `uid` is what links point at and never changes."""

    uid: str
    title: str
    description: str
    panels: tuple[PanelSpec, ...]
    variables: tuple[VariableSpec, ...]
    tags: tuple[str, ...] = ("orbital-twin",)
    links: tuple[str, ...] = ()
    annotations: tuple[AnnotationSpec, ...] = ()
    time_from: str = "now-30m"
    refresh: str = "10s"
    file_name: str = field(default="")

    def queries(self) -> Iterator[tuple[str, QuerySpec]]:
        """Every query with the key of its panel."""
        for panel in self.panels:
            for query in panel.queries:
                yield panel.key, query
