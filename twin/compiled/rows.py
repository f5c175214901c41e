"""Rows of the array that holds a compiled fleet: (ROWS, n) float64, one row per quantity."""

from typing import Final

_STATE: Final = [
    "soc_frac",
    "battery_current_a",
    "battery_voltage_v",
    "battery_throughput_j",
    "eclipse_low_soc_frac",
    "array_power_w",
    "load_power_w",
    "compute_power_w",
    "heater_power_w",
    "unserved_power_w",
    "array_available_w",
    "mode",
    "mode_dwell_s",
    "battery_life_used",
    "battery_health_frac",
    "cycle_extreme_frac",
    "throttle_frac",
    "radiated_power_w",
    "absorbed_power_w",
    "dose_rad",
    "dose_rate_rad_s",
    "cecc_threshold_count",
    "cecc_event_count",
    "queue_s",
    "checkpoint_age_s",
    "delivered_s",
    "offered_s",
    "lost_s",
    "refused_s",
    "at_risk_s",
    "utilisation_frac",
    "host_down_s",
    "ground_backlog_bit",
    "job_kill_count",
]
"""Fields of FleetState under their own names, integers as whole floats."""

_OWN: Final = [
    "phase",
    "up_count",
    "unit_energy_j",
    "fluence",
    "memory_fluence",
    "due_fluence",
    "due_memory",
    "due_s",
    "x",
    "y",
    "z",
    "view",
    "zenith",
    "diurnal",
    "lit",
    "contact",
    "protons",
    "electrons",
    "cosmic",
    "due",
    "ahead",
    "battery_heat",
    "turned",
]
"""What kernels keep between stages: up_count accelerators in service, unit_energy_j of one that
never failed, fluences and those at which the next event is due, the sky, flags."""

SOC, CURRENT, VOLTAGE, THROUGHPUT, LOW_SOC = range(5)
ARRAY_W, LOAD_W, COMPUTE_W, HEATER_W, UNSERVED_W = range(5, 10)
AVAILABLE_W, MODE, DWELL, LIFE, HEALTH, EXTREME = range(10, 16)
THROTTLE, RADIATED, ABSORBED, DOSE, DOSE_RATE = range(16, 21)
CECC_THRESHOLD, CECC_COUNT, QUEUE, AGE, DELIVERED = range(21, 26)
OFFERED, LOST, REFUSED, AT_RISK, UTILISATION, HOST_DOWN, BACKLOG, KILLS = range(26, 34)
PHASE, UP_COUNT, UNIT_ENERGY, FLUENCE, MEMORY_FLUENCE = range(34, 39)
DUE_FLUENCE, DUE_MEMORY, DUE_S, X, Y, Z, VIEW = range(39, 46)
ZENITH, DIURNAL, LIT, CONTACT, PROTONS, ELECTRONS, COSMIC, DUE, AHEAD = range(46, 55)
BATTERY_HEAT, TURNED = range(55, 57)
TEMPERATURE: Final = 57  # first of the seven nodes
THRESHOLD: Final = 64  # first of the seven kinds of event: hazard of the next
COUNT: Final = 71  # first of the seven: events so far
REVERSAL: Final = 78  # first of the eight open reversals of the battery's charge
ROWS: Final = 86
STATE_ROWS: Final = {name: row for row, name in enumerate(_STATE)}
assert (len(_STATE), len(_STATE) + len(_OWN)) == (PHASE, TEMPERATURE)

# Columns of the table of ticks, (ticks, TICK_COLUMNS): what is common to all satellites.
WEIGHTS, SUN = 0, 8
TURN, ELAPSED, EXPOSED, IRRADIANCE, COS_SIDEREAL, SIN_SIDEREAL, DRIFT = range(15, 22)
TICK_COLUMNS: Final = 22
