"""Small fleets and a simple sky for tests of the plant, from plain numbers.

Three classes of satellite, rounded from presets of the fleet study: a cluster member with tensor
chips, a satellite with a hosted pilot payload, and a 150 kW rack satellite. The sky is a circular
orbit about a sphere with a cylinder shadow: close enough to drive the plant, and independent of
the product's own environment.
"""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from twin.constants import EARTH_GM_M3_S2, EARTH_MEAN_RADIUS_M
from twin.noise import satellite_keys
from twin.state import Environment, Fleet, FleetParams, FleetState, FloatArray, IntArray

_CLASSES: dict[str, tuple[float, float, float]] = {
    # name: cluster member, hosted pilot payload, rack satellite
    "mass_kg": (575.0, 1950.0, 2142.0),
    "drag_area_m2": (20.0, 30.0, 25.0),
    "array_power_w": (28e3, 25e3, 150e3),
    "array_area_m2": (112.0, 100.0, 600.0),
    "array_health_frac": (1.0, 1.0, 1.0),
    "array_loss_frac_per_year": (0.02, 0.02, 0.02),
    "array_temp_coeff_per_k": (-0.0025, -0.0025, -0.0025),
    "converter_efficiency_frac": (0.95, 0.95, 0.95),
    "external_power_w": (0.0, 0.0, 0.0),
    "battery_capacity_j": (9e3 * 3600, 9.5e3 * 3600, 22e3 * 3600),
    "battery_cells_in_series_count": (28.0, 28.0, 108.0),
    "battery_resistance_ohm": (0.060, 0.055, 0.350),
    "battery_charge_limit_c": (0.5, 1.0, 0.5),
    "battery_discharge_limit_c": (2.0, 2.0, 2.0),
    "battery_coulombic_frac": (0.995, 0.995, 0.995),
    "battery_depth_limit_frac": (0.8, 0.8, 0.8),
    "bus_voltage_v": (100.0, 100.0, 400.0),
    "bus_power_w": (1e3, 9e3, 8e3),
    "accel_count": (64, 2, 72),
    "accel_power_limit_w": (200.0, 600.0, 1400.0),
    "accel_idle_w": (40.0, 70.0, 200.0),
    "host_power_w": (4200.0, 200.0, 19e3),
    "compute_average_w": (17e3, 1.4e3, 120e3),
    "compute_peak_w": (17e3, 1.4e3, 120e3),
    "burst_period_s": (0.0, 0.0, 0.0),
    "burst_on_s": (0.0, 0.0, 0.0),
    "eclipse_compute_frac": (1.0, 1.0, 0.3),
    "training_frac": (0.5, 0.0, 0.15),
    "checkpoint_interval_s": (1800.0, 600.0, 900.0),
    "accel_clock_hz": (1.75e9, 1.98e9, 1.92e9),
    "tokens_per_accel_s": (1500.0, 2500.0, 8000.0),
    "thermal_class": (0, 1, 2),
    "die_plate_w_k": (12.8e3 / 18, 1.2e3 / 18, 101e3 / 18),
    "plate_loop_w_k": (17e3 / 7.5, 1.4e3 / 7.5, 120e3 / 7.5),
    "loop_radiator_w_k": (17e3 / 4.5, 1.4e3 / 4.5, 120e3 / 4.5),
    "battery_bus_w_k": (60.0, 60.0, 200.0),
    "bus_radiator_w_k": (5.0, 5.0, 20.0),
    "radiator_area_m2": (52.0, 36.0, 220.0),
    "radiator_emissivity_frac": (0.90, 0.88, 0.91),
    "radiator_absorptivity_frac": (0.12, 0.12, 0.12),
    "radiator_sink_k": (220.0, 245.0, 220.0),
    "accel_throttle_k": (360.15, 360.15, 378.15),
    "accel_trip_k": (368.15, 368.15, 386.15),
    "coolant_kg": (10.0, 0.0, 150.0),
    "heater_power_w": (90.0, 95.0, 220.0),
    "shield_dose_frac": (1.0, 1.53, 1.29),
    "shield_spe_frac": (1.0, 5.54, 3.05),
    "shield_electron_rad_cm2": (1.2e-10, 1.0e-8, 1.9e-9),
    "see_sensitivity_frac": (1.0, 1.0, 1.0),
    "sel_per_accel_year": (1e-3, 1e-3, 1e-3),
    "hard_fail_per_accel_year": (0.07, 0.07, 0.07),
    "link_rate_bit_s": (9.6e12, 1e12, 1e12),
    "link_range_limit_m": (2e3, 5e6, 5e6),
    "link_reference_range_m": (5e3, 1e7, 1e7),
    "link_acquire_s": (15.0, 15.0, 15.0),
    "ground_rate_bit_s": (2e10, 1e9, 1e11),
    "ground_relayed": (False, False, True),
}
_HEAT_CAPACITY_J_K = np.array(
    [
        [640.0, 17e3, 47e3, 64e3, 60e3, 259e3, 202e3],
        [60.0, 1.4e3, 4.7e3, 45e3, 64e3, 878e3, 180e3],
        [5e3, 120e3, 705e3, 273e3, 147e3, 964e3, 1080e3],
    ]
)
_COUNTS = {"accel_count", "thermal_class"}


def class_params(**changed: Any) -> FleetParams:
    """Parameters of the three classes, (3,); keyword = a scalar or three values to use instead."""
    values: dict[str, Any] = {"heat_capacity_j_k": _HEAT_CAPACITY_J_K.copy()}
    for name, three in (_CLASSES | changed).items():
        kind = np.int64 if name in _COUNTS else np.bool_ if name == "ground_relayed" else np.float64
        values[name] = np.broadcast_to(np.asarray(three, dtype=kind), (3,)).copy()
    return FleetParams(**values)


def make_fleet(class_of_row: list[int] | IntArray, **changed: Any) -> Fleet:
    """A fleet with one satellite per entry (class 0, 1 or 2), no neighbours."""
    rows = np.asarray(class_of_row, dtype=np.int64)
    ids = tuple(f"sat{index:05d}" for index in range(rows.size))
    return Fleet(
        name="test",
        satellite_ids=ids,
        satellite_names=ids,
        planes=("p0",) * rows.size,
        presets=tuple(f"class{row}" for row in rows),
        accelerators=tuple(("tpu_v6e", "h100", "gb300")[row] for row in rows),
        vendors=tuple(("google", "nvidia", "nvidia")[row] for row in rows),
        report_interval_s=np.ones(rows.size),
        neighbour_index=np.full((rows.size, 4), -1, dtype=np.int64),
        satellite_key=satellite_keys(ids),
        params=class_params(**changed).take(rows),
    )


def take_fleet(fleet: Fleet, rows: IntArray) -> Fleet:
    """The same satellites in another order or number; links to left-out satellites are cut."""
    place = np.full(fleet.count + 1, -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    names = ("satellite_ids", "satellite_names", "planes", "presets", "accelerators", "vendors")
    texts: dict[str, Any] = {
        name: tuple(getattr(fleet, name)[row] for row in rows) for name in names
    }
    shares, groups = fleet.tenant_share_frac, fleet.tenant_group_index
    return replace(
        fleet,
        **texts,
        report_interval_s=fleet.report_interval_s[rows],
        neighbour_index=place[fleet.neighbour_index[rows]],
        tenant_share_frac=None if shares is None else shares[rows],
        tenant_group_index=None if groups is None else groups[rows],
        satellite_key=fleet.satellite_key[rows],
        params=fleet.params.take(rows),
    )


def take_state(state: FleetState, fleet: Fleet, rows: IntArray) -> FleetState:
    """The rows of a state, its accelerators along with them."""
    first = np.concatenate([[0], np.cumsum(fleet.params.accel_count)])
    spans = [np.arange(first[row], first[row + 1]) for row in rows]
    flat = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    taken = {}
    for field in fields(state):
        index = flat if field.name.startswith("accel_") else rows
        taken[field.name] = getattr(state, field.name)[index]
    return FleetState(**taken)


def take_environment(environment: Environment, rows: IntArray) -> Environment:
    """The rows of an environment; what is common to all stays."""
    common = {"elapsed_s", "sun_unit", "sun_distance_m"}
    names = [field.name for field in fields(environment) if field.name not in common]
    return replace(environment, **{name: getattr(environment, name)[rows] for name in names})


def make_environment(
    elapsed_s: float,
    count: int,
    *,
    altitude_m: float = 600e3,
    beta_rad: float = 0.3,
    phase_rad: FloatArray | None = None,
) -> Environment:
    """A circular orbit under a Sun on the x axis, cylinder shadow, satellites spread along it.

    The orbit plane holds the y axis and is tilted by beta from the x-y plane, so that beta is
    the Sun's angle above it: pi/2 is a noon-less dawn-dusk orbit. The Earth does not turn.
    """
    radius_m = EARTH_MEAN_RADIUS_M + altitude_m
    rate_rad_s = np.sqrt(EARTH_GM_M3_S2 / radius_m**3)
    phase = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False) if phase_rad is None else phase_rad
    angle = phase + rate_rad_s * elapsed_s
    along, across = np.cos(angle), np.sin(angle)
    cos_beta, sin_beta = np.cos(beta_rad), np.sin(beta_rad)
    unit = np.stack([along * cos_beta, across, -along * sin_beta], axis=1)
    speed = np.stack([-across * cos_beta, along, across * sin_beta], axis=1)
    shadowed = (unit[:, 0] < 0.0) & (np.hypot(unit[:, 1], unit[:, 2]) * radius_m < 6.378e6)
    sunlit = 1.0 - shadowed.astype(np.float64)
    longitude = np.arctan2(unit[:, 1], unit[:, 0])
    view = (EARTH_MEAN_RADIUS_M / radius_m) ** 2
    local_time_h = np.mod(12.0 + np.rad2deg(longitude) / 15.0, 24.0)
    return Environment(
        elapsed_s=elapsed_s,
        position_teme_m=unit * radius_m,
        velocity_teme_m_s=speed * radius_m * rate_rad_s,
        sun_unit=np.array([1.0, 0.0, 0.0]),
        sun_distance_m=1.495978707e11,
        latitude_rad=np.arcsin(unit[:, 2]),
        longitude_rad=longitude,
        altitude_m=np.full(count, altitude_m),
        sunlit_frac=sunlit,
        beta_rad=np.full(count, beta_rad),
        local_solar_time_h=local_time_h,
        solar_flux_w_m2=1361.0 * sunlit,
        albedo_flux_w_m2=0.30 * 1361.0 * view * np.maximum(unit[:, 0], 0.0),
        earth_ir_flux_w_m2=np.full(count, 237.0 * view),
        proton_flux_cm2_s=np.where(np.abs(unit[:, 1]) > 0.95, 1000.0, 5.0),
        electron_flux_cm2_s=np.full(count, 2000.0),
        gcr_flux_cm2_s=np.full(count, 0.3),
        spe_flux_cm2_s=np.zeros(count),
        cutoff_gv=np.full(count, 5.0),
        air_density_kg_m3=np.full(count, 1.1e-13),
        s_level=np.zeros(count, dtype=np.int64),
        g_level=np.zeros(count, dtype=np.int64),
    )
