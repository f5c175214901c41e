"""Radiation and space weather: storms, dose against the model, upsets and where they fell."""

from dashboards.influxql import DRILL_DOWN, last_of_each_satellite, of_cells, query
from dashboards.panels import DashboardSpec, FieldStyle, MapLayer, PanelSpec
from dashboards.parts import (
    ANNOTATIONS,
    NOW_MIN,
    NOWHERE,
    Row,
    by_plane,
    counted,
    heading,
    heat,
    kpi,
    link,
    placed,
    strip,
    trend,
    worst_table,
)
from dashboards.shapes import Cell, Newest, Places
from dashboards.style import AMBER, MAGENTA, description, style
from twin.channels import BUS_MEASUREMENT
from twin.constants import SECONDS_PER_DAY
from twin.radiation import PROTONS_PER_RAD_CM2

UID = "twin-radiation"
UPSETS = (
    "see_canary_fail_count",
    "see_uecc_count",
    "see_accel_sefi_count",
    "see_host_reboot_count",
)
COUNTED = (
    "canary_fail_count",
    "uecc_count",
    "sefi_count",
    "reboot_count",
    "latchup_count",
    "hard_fail_count",
)


def _dose_map() -> PanelSpec:
    picked = {
        "lat": "orb_lat_deg",
        "lon": "orb_lon_deg",
        "Dose rate": "rad_dose_rate_rad_day",
        "Protons": "rad_proton_flux_cm2_s",
    }
    return PanelSpec(
        key="dose-map",
        kind="geomap",
        title="Dose rate where the satellites are now",
        description="Newest position of every satellite, sized by its dose rate: the South "
        f"Atlantic Anomaly and the polar horns stand out. {description('rad_dose_rate_rad_day')}",
        grid=NOWHERE,
        queries=(last_of_each_satellite(picked),),
        style=FieldStyle("none"),
        overrides=(
            style("orb_lat_deg", "lat"),
            style("orb_lon_deg", "lon"),
            style("rad_dose_rate_rad_day", "Dose rate"),
            style("rad_proton_flux_cm2_s", "Protons"),
            link("sat"),
        ),
        layers=(MapLayer("markers", "Satellites", "A", size_field="Dose rate", colour=AMBER),),
        time_from=NOW_MIN,
    )


def _upset_map() -> PanelSpec:
    return PanelSpec(
        key="upset-map",
        kind="geomap",
        title="Where upsets of the chosen plane happened",
        description="Each minute in which a satellite of the plane counted upsets, at its place "
        f"then, sized by how many.\n\n{description(*UPSETS)}",
        grid=NOWHERE,
        queries=(query(Places(UPSETS, "Upsets", "orb_lat_deg", "orb_lon_deg")),),
        style=FieldStyle("none"),
        overrides=(
            style("orb_lat_deg", "lat"),
            style("orb_lon_deg", "lon"),
            FieldStyle("short", "Upsets", decimals=0),
            link("sat"),
        ),
        layers=(MapLayer("markers", "Upsets", "A", size_field="Upsets", colour=MAGENTA),),
    )


def _hit_table() -> PanelSpec:
    cells = tuple(Cell(label, name, "max") for label, name in (
        ("Double-bit errors", "see_uecc_count"),
        ("Silent corruptions", "see_canary_fail_count"),
        ("Interrupts", "see_accel_sefi_count"),
    ))  # fmt: skip
    return PanelSpec(
        key="hit",
        kind="table",
        title="Satellites of the chosen plane by upsets",
        description=f"Counts since the epoch.\n\n{description(*UPSETS[:3])}",
        grid=NOWHERE,
        queries=(query(Newest(BUS_MEASUREMENT, ("sat", "plane"), cells, "plane")),),
        style=FieldStyle("short", decimals=0),
        overrides=(link("sat"), FieldStyle("none", "Time", hidden=True)),
        sort_by="Double-bit errors",
        sort_descending=True,
        time_from=NOW_MIN,
    )


def _against_model() -> PanelSpec:
    """The satellite's dosimeter beside what the belts alone would give it."""
    factor = SECONDS_PER_DAY / PROTONS_PER_RAD_CM2
    cells = (
        Cell("Measured", "rad_dose_rate_rad_day", "mean"),
        Cell("Trapped protons behind 10 mm", "rad_proton_flux_cm2_s", "mean", factor=factor),
    )
    return PanelSpec(
        key="dose-model",
        kind="timeseries",
        title="Dose rate against the model",
        description="The dose rate behind the satellite's own shield beside that of the trapped "
        "protons of AP-8 behind 10 mm of aluminium: what is above it is a thinner shield, cosmic "
        f"rays, electrons or a storm.\n\n{description('rad_dose_rate_rad_day')}",
        grid=NOWHERE,
        queries=(of_cells(BUS_MEASUREMENT, cells, scope="satellite"),),
        style=style("rad_dose_rate_rad_day"),
        min_interval="1s",
    )


def radiation() -> DashboardSpec:
    """The dashboard of particles and what they do."""
    stats = ("s_level_max", "g_level_max", "in_saa_count", "dose_rate_max_rad_day",
             "dose_max_rad", "uecc_count", "canary_fail_count", "hard_fail_count")  # fmt: skip
    rows = (
        Row(4, [kpi(one) for one in stats]),
        Row(12, (_dose_map(), _upset_map())),
        Row(
            8,
            (
                counted("upsets", "Upsets of the fleet", COUNTED),
                trend("storm", "Storm levels", ("s_level_max", "g_level_max"), "max"),
                trend("dose-rate", "Dose rate",
                      ("dose_rate_mean_rad_day", "dose_rate_max_rad_day")),
            ),
        ),
        Row(
            8,
            (
                heat("rad_dose_rate_rad_day", "Dose rate over the fleet"),
                trend("dose", "Dose since the epoch", ("dose_mean_rad", "dose_max_rad"), "max"),
                trend("saa", "Satellites in the Anomaly", ("in_saa_count",)),
            ),
        ),
        heading("Planes"),
        Row(10, (by_plane("dose_max_rad", "Highest dose by plane", UID, "max"), _hit_table())),
        heading("Satellites"),
        Row(
            8,
            (
                worst_table("rad_tid_rad", "top", "Highest doses"),
                worst_table("see_uecc_count", "top", "Most double-bit errors"),
                worst_table("rad_dose_rate_rad_day", "top", "Highest dose rates now"),
            ),
        ),
        heading("The chosen satellite: ${sat}"),
        Row(
            8,
            (
                _against_model(),
                strip("Dose since the epoch", "rad_tid_rad"),
                strip("Upsets since the epoch", *UPSETS),
            ),
        ),
    )  # fmt: skip
    return DashboardSpec(
        uid=UID,
        title="Radiation and space weather",
        description="Storm levels, dose and single events: how many, where, to whom.",
        file_name="radiation.json",
        variables=DRILL_DOWN,
        links=("orbital-twin",),
        annotations=ANNOTATIONS,
        panels=placed(rows),
    )
