"""The arrays of a fleet: parameters that do not change in a run, and state that does.

A satellite is a row, an accelerator an index; there is no class per satellite. Every array
has shape (n,) over satellites unless its comment says (n, k), or (m,) over accelerators.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from twin.tenants import NOBODY, TenantPlan

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
KeyArray = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]
Rows = IntArray | slice
"""Satellites, (r,) rows of the fleet; a slice where they are neighbours, which copies nothing."""


def neighbours(rows: IntArray) -> Rows:
    """A slice for rows that follow one another; others as they are."""
    if rows.size and int(rows[-1]) - int(rows[0]) + 1 == rows.size and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


THERMAL_NODES = ("die", "cold_plate", "loop", "radiator", "battery", "bus", "array")
"""Order of the second axis of every (n, 7) thermal array."""

SEE_KINDS = ("sdc", "hbm_uecc", "accel_sefi", "host_cpu_sefi", "host_ram_sefi", "sel", "hard_fail")
"""Order of the second axis of every (n, 7) event array."""

MODES = ("nominal", "eclipse", "load_shed", "safe")
"""Power modes by their integer code, the value of channel eps_mode."""


@dataclass(frozen=True)
class FleetParams:
    """What does not change during a run, SI units, one row per satellite (or per class)."""

    # mass and drag
    mass_kg: FloatArray
    drag_area_m2: FloatArray
    # solar array
    array_power_w: FloatArray  # beginning of life, 1 AU, normal incidence, 28 C
    array_area_m2: FloatArray
    array_health_frac: FloatArray  # remaining power at the epoch, 0-1
    array_loss_frac_per_year: FloatArray
    array_temp_coeff_per_k: FloatArray  # negative: output lost per kelvin above 28 C
    converter_efficiency_frac: FloatArray  # array to bus
    external_power_w: FloatArray  # from a host platform such as the ISS; 0 for a free flyer
    # battery
    battery_capacity_j: FloatArray  # 0 where the host platform supplies
    battery_cells_in_series_count: FloatArray
    battery_resistance_ohm: FloatArray  # whole string
    battery_charge_limit_c: FloatArray  # C-rate
    battery_discharge_limit_c: FloatArray
    battery_coulombic_frac: FloatArray
    battery_depth_limit_frac: FloatArray
    bus_voltage_v: FloatArray
    bus_power_w: FloatArray  # housekeeping load without compute and heaters
    # compute payload
    accel_count: IntArray
    accel_power_limit_w: FloatArray  # TDP of one accelerator
    accel_idle_w: FloatArray  # of one accelerator
    accel_clock_hz: FloatArray  # core clock at full speed
    host_power_w: FloatArray  # all hosts of the satellite
    compute_average_w: FloatArray  # planned sustained payload power, hosts included
    compute_peak_w: FloatArray
    burst_period_s: FloatArray  # 0 = continuous duty
    burst_on_s: FloatArray
    eclipse_compute_frac: FloatArray  # planned cap on payload power in eclipse, 0-1
    training_frac: FloatArray  # share of the offered work that is synchronous training
    checkpoint_interval_s: FloatArray
    tokens_per_accel_s: FloatArray  # of one accelerator at full clock
    # thermal
    thermal_class: IntArray  # rows with the same value share one network (G, C)
    heat_capacity_j_k: FloatArray  # (n, 7) in the order of THERMAL_NODES
    die_plate_w_k: FloatArray
    plate_loop_w_k: FloatArray
    loop_radiator_w_k: FloatArray
    battery_bus_w_k: FloatArray
    bus_radiator_w_k: FloatArray
    radiator_area_m2: FloatArray  # emitting, both sides
    radiator_emissivity_frac: FloatArray
    radiator_absorptivity_frac: FloatArray
    radiator_sink_k: FloatArray  # design sink: sizes the view of Earth; hosted: the loop's sink
    accel_throttle_k: FloatArray
    accel_trip_k: FloatArray
    heater_power_w: FloatArray  # battery heater
    coolant_kg: FloatArray  # in the loop; up to 2 kg it is heat pipes, which have no pump
    # radiation
    shield_dose_frac: FloatArray  # trapped-proton dose behind this shield over 10 mm Al
    shield_spe_frac: FloatArray  # same for solar protons
    shield_electron_rad_cm2: FloatArray  # dose behind it per trapped electron above 1 MeV
    see_sensitivity_frac: FloatArray  # technology factor on the Trillium cross-sections
    sel_per_accel_year: FloatArray
    hard_fail_per_accel_year: FloatArray
    # network
    link_rate_bit_s: FloatArray  # one inter-satellite link; 0 = none
    link_range_limit_m: FloatArray
    link_reference_range_m: FloatArray  # range at which the link margin is 0 dB
    link_acquire_s: FloatArray  # pointing and tracking after an outage
    ground_rate_bit_s: FloatArray
    ground_relayed: BoolArray  # True: reaches the ground through a relay constellation at all times

    def take(self, rows: Rows) -> "FleetParams":
        """The same parameters for the given rows: (classes,) in, (n,) out.

        Neighbouring rows in order are views of the arrays, which nobody writes to; all of them
        are these parameters themselves.
        """
        chosen = rows if isinstance(rows, slice) else neighbours(rows)
        if isinstance(chosen, slice) and range(self.mass_kg.size)[chosen] == range(
            self.mass_kg.size
        ):
            return self
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


@dataclass(frozen=True)
class Fleet:
    """Who the satellites are: names, keys and neighbours. Shapes (n,) unless said."""

    name: str
    satellite_ids: tuple[str, ...]
    satellite_names: tuple[str, ...]  # as catalogued, for people
    planes: tuple[str, ...]
    presets: tuple[str, ...]
    accelerators: tuple[str, ...]  # profile name of each satellite's accelerators
    vendors: tuple[str, ...]  # "nvidia", "google", "domestic"
    report_interval_s: FloatArray
    neighbour_index: IntArray  # (n, 4), -1 where there is no link
    satellite_key: KeyArray  # stable hash of the id: noise follows the name, not the row
    params: FleetParams
    tenants: TenantPlan = NOBODY
    tenant_share_frac: FloatArray | None = None  # (n, tenants), 1 in all on each satellite
    tenant_group_index: IntArray | None = None  # (n, tenants) satellites of a job
    channel_set_index: IntArray | None = None  # (n,) of CHANNEL_SETS; None: all report all

    @property
    def count(self) -> int:
        """Number of satellites."""
        return len(self.satellite_ids)


@dataclass(frozen=True)
class Environment:
    """What surrounds each satellite at one instant, (n,)."""

    elapsed_s: float
    position_teme_m: FloatArray  # (n, 3)
    velocity_teme_m_s: FloatArray  # (n, 3)
    sun_unit: FloatArray  # (3,)
    sun_distance_m: float
    latitude_rad: FloatArray
    longitude_rad: FloatArray
    altitude_m: FloatArray
    sunlit_frac: FloatArray
    beta_rad: FloatArray
    local_solar_time_h: FloatArray
    solar_flux_w_m2: FloatArray  # at this distance, times the sunlit fraction
    albedo_flux_w_m2: FloatArray  # on a nadir-facing plate
    earth_ir_flux_w_m2: FloatArray  # on a nadir-facing plate
    proton_flux_cm2_s: FloatArray  # trapped, above 50 MeV, omnidirectional integral
    electron_flux_cm2_s: FloatArray  # trapped, above 1 MeV, same
    gcr_flux_cm2_s: FloatArray  # cosmic-ray protons above the cutoff, omnidirectional
    spe_flux_cm2_s: FloatArray  # solar protons above 50 MeV that get in, omnidirectional
    cutoff_gv: FloatArray  # vertical geomagnetic cutoff
    air_density_kg_m3: FloatArray
    s_level: IntArray  # NOAA solar radiation storm, 0-5
    g_level: IntArray  # NOAA geomagnetic storm, 0-5


@dataclass(frozen=True)
class FleetState:
    """What changes from tick to tick; a checkpoint is this and the tick number."""

    # power
    soc_frac: FloatArray
    battery_current_a: FloatArray  # positive = charging
    battery_voltage_v: FloatArray
    battery_throughput_j: FloatArray  # discharged since the epoch, for cycle counting
    eclipse_low_soc_frac: FloatArray  # lowest state of charge since the battery was last full
    array_power_w: FloatArray  # taken from the array, at the bus
    load_power_w: FloatArray
    compute_power_w: FloatArray  # granted to the payload, hosts included
    heater_power_w: FloatArray
    unserved_power_w: FloatArray  # demand the bus could not meet: 0 in every healthy state
    mode: IntArray  # index into MODES
    mode_dwell_s: FloatArray
    array_available_w: FloatArray  # what the array could deliver at the bus
    # attitude
    sun_error_rad: FloatArray  # angle of the body from its Sun attitude; 0 = on it
    body_rate_rad_s: FloatArray  # besides the turn that the orbit asks for
    battery_life_used: FloatArray  # 0 = new; stress of cycles and calendar since then
    battery_health_frac: FloatArray  # capacity over that of the new battery
    cycle_extreme_frac: FloatArray  # farthest charge since the last reversal of its course
    cycle_reversal_frac: FloatArray  # (n, 8) reversals whose cycles are open, newest first
    # thermal
    node_temp_k: FloatArray  # (n, 7)
    throttle_frac: FloatArray  # clock fraction allowed by heat, 0-1
    radiated_power_w: FloatArray  # by the radiator
    absorbed_power_w: FloatArray  # by the radiator from the sky
    flow_frac: FloatArray  # coolant flow over nominal; stays 1 for heat pipes
    coolant_lost_kg: FloatArray
    radiator_isolated_frac: FloatArray  # share of the radiator behind closed valves
    # radiation
    dose_rad: FloatArray
    dose_rate_rad_s: FloatArray
    see_hazard_count: FloatArray  # (n, 7) integrated expected events
    see_threshold_count: FloatArray  # (n, 7) hazard at which the next event happens
    see_event_count: IntArray  # (n, 7)
    cecc_threshold_count: FloatArray  # hazard at which the next corrected memory error happens
    cecc_event_count: IntArray
    # workload
    queue_s: FloatArray  # work waiting, seconds of the satellite at full clock
    checkpoint_age_s: FloatArray
    delivered_s: FloatArray  # useful work since the epoch, same unit; faults take from it
    offered_s: FloatArray
    lost_s: FloatArray  # done, then undone by faults
    refused_s: FloatArray  # waited too long and was turned away
    at_risk_s: FloatArray  # training work since the last checkpoint
    utilisation_frac: FloatArray
    host_down_s: FloatArray  # seconds until the host is back
    job_kill_count: IntArray  # upsets that ended what ran
    # tenants, (n, k) of the fleet's tenants; k = 0 without any
    tenant_queue_s: FloatArray
    tenant_offered_s: FloatArray
    tenant_delivered_s: FloatArray
    tenant_lost_s: FloatArray
    tenant_refused_s: FloatArray
    tenant_at_risk_s: FloatArray
    tenant_checkpoint_age_s: FloatArray
    tenant_restart_s: FloatArray  # until a stopped training job runs again
    tenant_accel_s: FloatArray  # accelerator-seconds used since the epoch
    tenant_rate_frac: FloatArray
    tenant_energy_j: FloatArray  # of the payload since the epoch
    restart_count: FloatArray  # job restarts by faults since the epoch, fractions carried on
    # network
    ground_backlog_bit: FloatArray
    ground_station_index: IntArray  # -1 = none in view
    ground_range_m: FloatArray
    link_range_m: FloatArray  # (n, 4), nan = no link
    link_acquire_s: FloatArray  # (n, 4) seconds until a link that was lost is reacquired
    # accelerators, (m,) flattened in satellite order
    accel_down_s: FloatArray
    accel_uecc_count: IntArray
    accel_cecc_count: IntArray
    accel_sdc_count: IntArray  # canary mismatches seen
    accel_sdc_pending_count: IntArray  # corruptions the next canary will find
    accel_xid: IntArray  # last Xid code, 0 = none
    accel_energy_j: FloatArray
