"""One satellite: every channel of the dictionary as living strips, grouped as the dictionary is.

The strips are not listed here. They follow from `twin.channels`, so a new channel is on this
page as soon as the dictionary has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from dashboards.influxql import (
    DRILL_DOWN,
    of_cells,
    over_time,
    track,
)
from dashboards.panels import DashboardSpec, FieldStyle, Grid, MapLayer, PanelSpec, QuerySpec
from dashboards.shapes import Cell, Reduce
from dashboards.style import channel, description, has_limits, style
from twin.channels import ACCEL_CHANNELS, ACCEL_MEASUREMENT, BUS_CHANNELS, BUS_MEASUREMENT, Channel

UID = "twin-satellite"
HEADLINES = (
    "sat_health",
    "eps_mode",
    "eps_soc_pct",
    "eps_compute_w",
    "tcs_die_max_t_c",
    "rad_dose_rate_rad_day",
    "job_goodput_pct",
    "gnd_backlog_gb",
)
SERIES_IN_STRIP = 6
STRIP_WIDTH, STRIP_HEIGHT = 8, 7
STRIPS_IN_ROW = 3
FIRST_STRIP_Y = 16
UNPLACED = Grid(0, 0, STRIP_WIDTH, STRIP_HEIGHT)


def _headline(name: str, index: int) -> PanelSpec:
    row = channel(name)
    return PanelSpec(
        key=f"now-{name}",
        kind="stat",
        title=row.label,
        description=description(name),
        grid=Grid(index * 3, 0, 3, 4),
        queries=(over_time(BUS_MEASUREMENT, {row.label: name}, scope="satellite", reduce="last"),),
        style=style(name),
        min_interval="1s",
    )


def _track(grid: Grid) -> PanelSpec:
    return PanelSpec(
        key="track",
        kind="geomap",
        title="Ground track",
        description="Positions of the chosen time range over day and night. "
        + description("orb_lat_deg", "orb_lon_deg"),
        grid=grid,
        queries=(track("orb_lat_deg", "orb_lon_deg"),),
        style=FieldStyle("degree", decimals=2),
        layers=(MapLayer("markers", "Ground track", "A"),),
    )


def _states(grid: Grid) -> PanelSpec:
    """Every state channel that names its codes, one row each."""
    rows = [row for row in BUS_CHANNELS if row.states]
    columns = {row.label: row.name for row in rows}
    return PanelSpec(
        key="states",
        kind="state-timeline",
        title="States",
        description=description(*(row.name for row in rows)),
        grid=grid,
        queries=(over_time(BUS_MEASUREMENT, columns, scope="satellite", reduce="last"),),
        style=FieldStyle("short"),
        overrides=tuple(style(row.name, row.label) for row in rows),
    )


def bus_strips() -> dict[str, list[tuple[Channel, ...]]]:
    """Bus channels in strips under their subsystem's title: one unit, at most six series.

    A channel with limits has a strip to itself, because where several share a strip the lines
    of its limits would say nothing; the others follow, grouped by unit.
    """
    shown = [row for row in BUS_CHANNELS if not row.states]
    strips: dict[str, list[tuple[Channel, ...]]] = {}
    for title, members in groupby(shown, key=lambda row: row.subsystem_title):
        of_subsystem = list(members)
        strips[title] = [(row,) for row in of_subsystem if has_limits(row)]
        rest = [row for row in of_subsystem if not has_limits(row)]
        for unit in dict.fromkeys((row.unit, row.kind) for row in rest):
            same = [row for row in rest if (row.unit, row.kind) == unit]
            strips[title] += list(_chunks(same, SERIES_IN_STRIP))
    return strips


def _chunks(rows: Sequence[Channel], size: int) -> Iterator[tuple[Channel, ...]]:
    for start in range(0, len(rows), size):
        yield tuple(rows[start : start + size])


def _title(rows: tuple[Channel, ...]) -> str:
    if len(rows) == 1:
        return rows[0].label
    return ", ".join(row.label for row in rows[:3]) + (" and more" if len(rows) > 3 else "")


def _strip(rows: tuple[Channel, ...]) -> PanelSpec:
    columns = {row.label: row.name for row in rows}
    # A counter or an index must not be averaged into numbers that never were.
    reduce: Reduce = "mean" if rows[0].kind == "float" else "last"
    return PanelSpec(
        key=f"strip-{rows[0].name}",
        kind="timeseries",
        title=_title(rows),
        description=description(*(row.name for row in rows)),
        grid=UNPLACED,
        queries=(over_time(BUS_MEASUREMENT, columns, scope="satellite", reduce=reduce),),
        style=style(rows[0].name, lines=len(rows) == 1),
        min_interval="1s",
    )


def _accel_strip(row: Channel) -> PanelSpec:
    """Worst and best accelerator of the satellite, under either of the channel's field names."""
    names = dict.fromkeys(name for name in (row.dcgm_name, row.name) if name)
    queries: list[QuerySpec] = []
    for ref_id, name in zip("AB", names, strict=False):
        cells = (Cell("highest", name, "max"), Cell("lowest", name, "min"))
        queries.append(of_cells(ACCEL_MEASUREMENT, cells, scope="satellite", ref_id=ref_id))
    return PanelSpec(
        key=f"accel-{row.name}",
        kind="timeseries",
        title=f"Accelerators: {row.label.lower()}",
        description="Highest and lowest of the satellite's accelerators. The field has its DCGM "
        f"name on NVIDIA parts, the dictionary's elsewhere. {description(row.name)}",
        grid=UNPLACED,
        queries=tuple(queries),
        style=FieldStyle("short") if row.states else style(row.name, lines=True),
        min_interval="1s",
    )


def _section(title: str, strips: Sequence[PanelSpec], y: int) -> list[PanelSpec]:
    """A heading at row `y` and its strips below it, three side by side."""
    heading = PanelSpec(
        key=f"row-{title}",
        kind="row",
        title=title,
        description="",
        grid=Grid(0, y, 24, 1),
        queries=(),
        style=FieldStyle("none"),
    )
    placed = [
        replace(
            strip,
            grid=Grid(
                index % STRIPS_IN_ROW * STRIP_WIDTH,
                y + 1 + index // STRIPS_IN_ROW * STRIP_HEIGHT,
                STRIP_WIDTH,
                STRIP_HEIGHT,
            ),
        )
        for index, strip in enumerate(strips)
    ]
    return [heading, *placed]


def _sections() -> list[PanelSpec]:
    accelerators = [_accel_strip(row) for row in ACCEL_CHANNELS if row.kind != "counter"]
    counters = [_accel_strip(row) for row in ACCEL_CHANNELS if row.kind == "counter"]
    sections: dict[str, list[PanelSpec]] = {
        title: [_strip(rows) for rows in strips] for title, strips in bus_strips().items()
    }
    sections["Accelerators"] = accelerators + counters
    panels: list[PanelSpec] = []
    y = FIRST_STRIP_Y
    for title, strips in sections.items():
        panels += _section(title, strips, y)
        y = panels[-1].grid.y + panels[-1].grid.height
    return panels


def satellite() -> DashboardSpec:
    """The dashboard of one satellite, chosen by plane and name."""
    return DashboardSpec(
        uid=UID,
        title="Satellite",
        description="Every channel of one satellite, as the telemetry dictionary describes it.",
        file_name="satellite.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        panels=(
            *(_headline(name, index) for index, name in enumerate(HEADLINES)),
            _track(Grid(0, 4, 12, 12)),
            _states(Grid(12, 4, 12, 12)),
            *_sections(),
        ),
    )
