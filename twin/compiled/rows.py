"""Where a quantity lies: a tile of satellites is one block of memory, one row per quantity.

A fleet is cut into tiles of TILE satellites of one class. A tile is a contiguous array of ROWS
rows of TILE float64; a constant below is the offset of a row's first element, so that kernels
write `s[SOC + i]`. Offsets known to the compiler let loops over i become vector instructions,
and a tile stays in the processor's cache while many ticks pass over it. The last tile of a class
is filled up with copies of its last satellite, in which nothing ever happens.
"""

from typing import Final

TILE: Final = 64  # 40 kB of rows; 32 to 256 are within a tenth of each other (measured)

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
    "planned_tick",
]
"""Of the kernels: up_count accelerators in service, unit_energy_j of one that never failed,
fluences and the time at which the next event is due, the next tick that needs a look."""


def _offsets(count: int, first: int = 0) -> range:
    return range(first * TILE, (first + count) * TILE, TILE)


SOC, CURRENT, VOLTAGE, THROUGHPUT, LOW_SOC = _offsets(5)
ARRAY_W, LOAD_W, COMPUTE_W, HEATER_W, UNSERVED_W = _offsets(5, 5)
AVAILABLE_W, MODE, DWELL, LIFE, HEALTH, EXTREME = _offsets(6, 10)
THROTTLE, RADIATED, ABSORBED, DOSE, DOSE_RATE = _offsets(5, 16)
CECC_THRESHOLD, CECC_COUNT, QUEUE, AGE, DELIVERED = _offsets(5, 21)
OFFERED, LOST, REFUSED, AT_RISK, UTILISATION, HOST_DOWN, BACKLOG, KILLS = _offsets(8, 26)
PHASE, UP_COUNT, UNIT_ENERGY, FLUENCE, MEMORY_FLUENCE = _offsets(5, 34)
DUE_FLUENCE, DUE_MEMORY, DUE_S, PLANNED = _offsets(4, 39)
DIE, PLATE, LOOP, RADIATOR, BATTERY, BUS, ARRAY = _offsets(7, 43)
REVERSAL: Final = 50 * TILE  # first of the eight open reversals of the battery's charge
THRESHOLD: Final = 58 * TILE  # first of the seven kinds of event: hazard of the next
COUNT: Final = 65 * TILE  # first of the seven: events so far
ROWS: Final = 72
STATE_ROWS: Final = {name: row * TILE for row, name in enumerate(_STATE)}
assert (len(_STATE) * TILE, (len(_STATE) + len(_OWN)) * TILE) == (PHASE, DIE)

# What stages of one tick hand on, a block of its own: the sky, flags, heat.
X, Y, Z, VIEW, ZENITH, DIURNAL, LIT, CONTACT = _offsets(8)
UP, NORTH, EAST, OTHER_EAST, PROTONS, ELECTRONS, COSMIC, DUE = _offsets(8, 8)
ARRIVAL, RATE, IDLE_W, HEATER_DEMAND_W, AHEAD, BATTERY_HEAT, TURNED, POINTS = _offsets(8, 16)
OPEN_V, PER_OHM, REACH_W, GRANT_W = _offsets(4, 24)
WORK_ROWS: Final = 28

# A knot: position and velocity, (6, TILE).
KNOT_X, KNOT_Y, KNOT_Z, KNOT_U, KNOT_V, KNOT_W = _offsets(6)

# Columns of the table of ticks, (ticks, TICK_COLUMNS): what is common to all satellites.
WEIGHTS, SUN = 0, 8
TURN, ELAPSED, EXPOSED, IRRADIANCE, TICK, DRIFT = range(15, 21)
TICK_COLUMNS: Final = 21

# Settings that hold for all satellites: shadow's stretch, mask, albedo, infrared.
STRETCH, SINE2, ALBEDO, EARTH_IR = range(4)
