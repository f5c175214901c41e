"""Compute: what the accelerators do, for whom, what a joule brings, and what breaks."""

from dashboards.influxql import DRILL_DOWN, of_cells, query
from dashboards.panels import DashboardSpec, FieldStyle, Organise, PanelSpec, Step
from dashboards.parts import (
    ANNOTATIONS,
    NOW_MIN,
    NOWHERE,
    Row,
    by_plane,
    counted,
    heading,
    kpi,
    link,
    placed,
    strip,
    trend,
    worst_table,
)
from dashboards.shapes import Cell, Newest
from dashboards.style import AMBER, BLUE, description, state_texts
from twin.channels import ACCEL_MEASUREMENT, FLEET_MEASUREMENT, TENANT_MEASUREMENT, by_name

UID = "twin-compute"
XID = "DCGM_FI_DEV_XID_ERRORS"
TENANT_CELLS = (
    ("Accelerator hours", "accel_h", "Accelerator hours used since the epoch", "h"),
    ("Energy", "energy_kwh", "Energy of the payload used since the epoch", "kwatth"),
    ("Utilisation", "util_pct", "Share of the fleet's accelerators at work for the tenant now",
     "percent"),
    ("Goodput", "goodput_pct", "Useful work over work offered since the epoch", "percent"),
    ("Queue", "queue_s", "Work that waits, in seconds of a whole satellite, summed", "s"),
    ("Lost", "lost_s", "Work undone by faults since the epoch, in the same seconds", "s"),
)  # fmt: skip


def _tokens_per_joule() -> PanelSpec:
    cells = (Cell("Tokens a joule", "tokens_s", "mean", over="load_w"),)
    return PanelSpec(
        key="tokens-per-joule",
        kind="timeseries",
        title="Tokens a joule",
        description="Tokens of the fleet over everything drawn from its buses, heaters included.",
        grid=NOWHERE,
        queries=(of_cells(FLEET_MEASUREMENT, cells),),
        style=FieldStyle("suffix:/J", low=0),
    )


def _tenants_table() -> PanelSpec:
    cells = tuple(Cell(label, field) for label, field, _, _ in TENANT_CELLS)
    said = "\n\n".join(f"**{label}**: {text}." for label, _, text, _ in TENANT_CELLS)
    return PanelSpec(
        key="tenants",
        kind="table",
        title="Tenants",
        description=said,
        grid=NOWHERE,
        queries=(query(Newest(TENANT_MEASUREMENT, ("tenant",), cells)),),
        style=FieldStyle("none"),
        overrides=tuple(FieldStyle(unit, label) for label, _, _, unit in TENANT_CELLS),
        sort_by="Accelerator hours",
        sort_descending=True,
        organise=Organise(("Time",), ("tenant", *(row[0] for row in TENANT_CELLS))),
    )


def _tenant_trend(key: str, index: int) -> PanelSpec:
    label, field, text, unit = TENANT_CELLS[index]
    return PanelSpec(
        key=key,
        kind="timeseries",
        title=f"{label} by tenant",
        description=f"{text}, one line for each tenant.",
        grid=NOWHERE,
        queries=(of_cells(TENANT_MEASUREMENT, (Cell(label, field, "mean"),), by="tenant"),),
        style=FieldStyle(unit, low=0),
    )


def _tenant_bars() -> PanelSpec:
    cells = (Cell("Accelerator hours", "accel_h"),)
    return PanelSpec(
        key="tenant-bars",
        kind="bargauge",
        title="Accelerator hours by tenant",
        description="Accelerator hours used since the epoch, a bar for each tenant.",
        grid=NOWHERE,
        queries=(query(Newest(TENANT_MEASUREMENT, ("tenant",), cells)),),
        style=FieldStyle("h", low=0, steps=(Step(None, BLUE),)),
        bar_rows=True,
        organise=Organise(("Time",)),
    )


def _xid_table() -> PanelSpec:
    """Accelerators of the chosen plane with an error code; only NVIDIA's parts have one."""
    row = by_name()["accel_error_code"]
    return PanelSpec(
        key="xid",
        kind="table",
        title="Error codes of the chosen plane (Xid, NVIDIA parts)",
        description="Accelerators whose last Xid is not 0: the code, double-bit errors and rows "
        f"replaced since the epoch. {description('accel_error_code')}",
        grid=NOWHERE,
        queries=(
            query(
                Newest(
                    ACCEL_MEASUREMENT,
                    ("sat", "plane", "accel"),
                    (
                        Cell("Code", XID),
                        Cell("Double-bit errors", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"),
                        Cell("Rows replaced", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS"),
                    ),
                    "plane",
                    above=0.0,
                )
            ),
        ),
        style=FieldStyle("short", decimals=0),
        overrides=(
            FieldStyle("none", "Code", states=state_texts(row), steps=(Step(None, AMBER),)),
            link("sat"),
        ),
        sort_by="Code",
        sort_descending=True,
        organise=Organise(("Time",), ("sat", "plane", "accel", "Code")),
        time_from=NOW_MIN,
    )


def compute() -> DashboardSpec:
    """The dashboard of accelerators, jobs and tenants."""
    gauges = ("util_mean_pct", "goodput_mean_pct", "accel_available_mean_pct")
    stats = ("tokens_s", "queue_max_s", "ckpt_age_max_s", "restarts_count", "hard_fail_count")
    rows = (
        Row(5, [*(kpi(one, "gauge") for one in gauges), *(kpi(one) for one in stats)]),
        Row(
            8,
            (
                trend("tokens", "Tokens", ("tokens_s",)),
                _tokens_per_joule(),
                trend("work", "Goodput and utilisation", ("goodput_mean_pct", "util_mean_pct")),
            ),
        ),
        Row(
            8,
            (
                trend("queue", "Longest queue", ("queue_max_s",), "max"),
                counted("restarts", "Restarts and accelerators lost",
                        ("restarts_count", "hard_fail_count")),
                trend("available", "Accelerators in service", ("accel_available_mean_pct",)),
            ),
        ),
        heading("Tenants"),
        Row(8, (_tenants_table(), _tenant_bars()), (16, 8)),
        Row(8, (_tenant_trend("tenant-util", 2), _tenant_trend("tenant-queue", 4))),
        heading("Planes and satellites"),
        Row(
            9,
            (
                by_plane("accel_available_mean_pct", "Accelerators in service by plane", UID,
                         "min"),
                _xid_table(),
            ),
        ),
        Row(
            8,
            (
                worst_table("job_goodput_pct", "bottom", "Lowest goodput"),
                worst_table("job_queue_s", "top", "Longest queues"),
                worst_table("accel_available_pct", "bottom", "Most accelerators down"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(
            8,
            (
                strip("Utilisation and goodput", "job_util_pct", "job_goodput_pct"),
                strip("Tokens a joule", "job_tokens_per_j"),
                strip("Queue and checkpoint", "job_queue_s", "job_ckpt_age_s", "job_lost_s"),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Compute",
        description="Accelerators, jobs and tenants: work done, work lost, tokens a joule.",
        file_name="compute.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
