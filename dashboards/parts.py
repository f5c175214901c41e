"""Panels that several dashboards have, and rows of panels that find their own places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dashboards.influxql import of_cells, over_time, query, worst
from dashboards.panels import (
    GRID_COLUMNS,
    AnnotationSpec,
    FieldStyle,
    Grid,
    Organise,
    PanelKind,
    PanelSpec,
    QuerySpec,
)
from dashboards.rollups import ROLLUPS
from dashboards.shapes import Cell, Reduce, Rows
from dashboards.style import AMBER, BLUE, channel, description, style
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.rollup_bins import CHANNEL_TAG, COUNT_FIELD, EDGE_TAG, HIST_MEASUREMENT

NOWHERE = Grid(0, 0, 0, 0)
NOW_MIN = "5m"
"""How far back a panel looks that shows what is so now; satellites report within a minute."""
SATELLITE_LINK = (
    "/d/twin-satellite?var-fleet=${fleet:raw}&var-plane=${__data.fields.plane}"
    "&var-sat=${__data.fields.sat}&${__url_time_range}"
)
PLANE_LINK = (
    "/d/{uid}?var-fleet=${{fleet:raw}}&var-plane=${{__field.labels.plane}}&${{__url_time_range}}"
)
ROWS_IN_TABLE = 12
PLANE_INTERVAL = "30s"


@dataclass(frozen=True)
class Row:
    """Panels side by side, as wide as `widths` says, or all alike."""

    height: int
    panels: Sequence[PanelSpec]
    widths: Sequence[int] = ()


def heading(title: str) -> Row:
    """A line of text across the dashboard."""
    panel = PanelSpec(f"row-{title}", "row", title, "", NOWHERE, (), FieldStyle("none"))
    return Row(1, (panel,))


def placed(rows: Iterable[Row]) -> tuple[PanelSpec, ...]:
    """The panels of the rows, each below the one before. Raises ValueError for one too wide."""
    found: list[PanelSpec] = []
    y = 0
    for row in rows:
        widths = row.widths or _shared(len(row.panels))
        if sum(widths) > GRID_COLUMNS:
            raise ValueError(f"row at {y}: {sum(widths)} columns, at most {GRID_COLUMNS}")
        x = 0
        for panel, width in zip(row.panels, widths, strict=True):
            found.append(replace(panel, grid=Grid(x, y, width, row.height)))
            x += width
        y += row.height
    return tuple(found)


def _shared(count: int) -> list[int]:
    """Widths that fill the grid, the first ones wider where it does not come out even."""
    least, rest = divmod(GRID_COLUMNS, count)
    return [least + (index < rest) for index in range(count)]


def kpi(field: str, kind: PanelKind = "stat") -> PanelSpec:
    """The newest value of a roll-up of the fleet."""
    rollup = ROLLUPS[field]
    return PanelSpec(
        key=f"kpi-{field}",
        kind=kind,
        title=rollup.label,
        description=rollup.described(),
        grid=NOWHERE,
        queries=(rolled((field,), "last"),),
        style=rollup.style(),
    )


def rolled(fields: Iterable[str], reduce: Reduce = "mean") -> QuerySpec:
    """Roll-ups of the fleet over time, each under its label."""
    return over_time(FLEET_MEASUREMENT, {ROLLUPS[one].label: one for one in fields}, reduce=reduce)


def trend(key: str, title: str, fields: Sequence[str], reduce: Reduce = "mean") -> PanelSpec:
    """Roll-ups of one unit over time; limits are drawn when all share one channel."""
    rollups = [ROLLUPS[name] for name in fields]
    alone = len({rollup.channel for rollup in rollups}) == 1
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description="\n\n".join(f"**{row.label}**: {row.described()}" for row in rollups),
        grid=NOWHERE,
        queries=(rolled(fields, reduce),),
        style=rollups[0].style(lines=alone),
    )


def counted(key: str, title: str, fields: Sequence[str]) -> PanelSpec:
    """Events in each interval, from roll-ups that count them since the epoch."""
    rollups = [ROLLUPS[name] for name in fields]
    cells = [Cell(row.label, row.field, "last", change="difference") for row in rollups]
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=title,
        description="How many in each interval.\n\n"
        + "\n\n".join(f"**{row.label}**: {row.described()}" for row in rollups),
        grid=NOWHERE,
        queries=(of_cells(FLEET_MEASUREMENT, cells),),
        style=FieldStyle("short", decimals=0, low=0),
        stacked=True,
    )


def by_plane(
    field: str, title: str, uid: str, reduce: Reduce, kind: PanelKind = "status-history"
) -> PanelSpec:
    """A roll-up of every plane over time, coloured by its limits; a click opens the plane."""
    rollup = ROLLUPS[field]
    picked = {rollup.label: field}
    return PanelSpec(
        key=f"planes-{field}",
        kind=kind,
        title=title,
        description=f"One row for each plane, at most 300. {rollup.described()}",
        grid=NOWHERE,
        queries=(over_time(PLANE_MEASUREMENT, picked, reduce=reduce, by="plane"),),
        style=replace(rollup.style(), link=PLANE_LINK.format(uid=uid)),
        min_interval=PLANE_INTERVAL,
    )


def heat(name: str, title: str) -> PanelSpec:
    """How many satellites are in each range of a channel, over time."""
    row = channel(name)
    where = ((CHANNEL_TAG, name),)
    cells = [Cell("Satellites", COUNT_FIELD, "mean")]
    return PanelSpec(
        key=f"heat-{name}",
        kind="heatmap",
        title=title,
        description="Satellites in each range; a row is named by its upper edge, the first has "
        f"all below and the last all above. {description(name)}",
        grid=NOWHERE,
        queries=(of_cells(HIST_MEASUREMENT, cells, by=EDGE_TAG, where=where),),
        style=FieldStyle(style(row.name).unit),
        min_interval=PLANE_INTERVAL,
    )


def link(name: str) -> FieldStyle:
    """A column that opens the satellite of its row."""
    return FieldStyle("none", name, link=SATELLITE_LINK)


def worst_table(field: str, pick: str, title: str) -> PanelSpec:
    """The satellites that are worst in a channel now; a name opens the satellite."""
    label = channel(field).label
    return PanelSpec(
        key=f"worst-{field}",
        kind="table",
        title=title,
        description="Newest value of each satellite, worst first; a name opens the satellite. "
        f"{description(field)}",
        grid=NOWHERE,
        queries=(worst(field, label, pick, ROWS_IN_TABLE),),
        style=FieldStyle("none"),
        overrides=(style(field, label), link("sat")),
        sort_by=label,
        sort_descending=pick == "top",
        organise=Organise(("Time",), ("sat", "plane", label)),
        time_from=NOW_MIN,
    )


def strip(title: str, *names: str) -> PanelSpec:
    """Channels of one unit of the chosen satellite over time."""
    rows = [channel(name) for name in names]
    reduce: Reduce = "mean" if rows[0].kind == "float" else "last"
    picked = {row.label: row.name for row in rows}
    return PanelSpec(
        key=f"strip-{names[0]}",
        kind="timeseries",
        title=title,
        description=description(*names),
        grid=NOWHERE,
        queries=(over_time(BUS_MEASUREMENT, picked, scope="satellite", reduce=reduce),),
        style=style(names[0], lines=len(names) == 1),
        min_interval="1s",
    )


def _rows(measurement: str, *columns: str) -> Rows:
    return Rows(measurement, columns)


ANNOTATIONS = (
    AnnotationSpec(
        "Commands", query(_rows("events", "satellites", "kind", "target")), BLUE, "kind", "target"
    ),
    AnnotationSpec(
        "Alerts", query(_rows("alerts", "value", "rule", "state")), AMBER, "rule", "state"
    ),
    AnnotationSpec(
        "Drills", query(_rows("drills", "score", "drill", "fleet")), "#CC79A7", "drill", "fleet"
    ),
)
"""What people and rules did, as marks on every panel over time."""
