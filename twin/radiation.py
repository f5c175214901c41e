"""Trapped protons, dose and single-event effects.

The flux of trapped protons above 50 MeV drives both: 10 mm of aluminium stops protons below
about 48 MeV, and one rad in silicon is 7.9e6 protons/cm2 at the 67 MeV of the beam in which the
accelerators were tested (Google, arXiv:2511.19468). Solar particle events and cosmic rays are
not in this module.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.noise import derived_keys, exponential
from twin.state import SEE_KINDS, BoolArray, FleetParams, FloatArray, IntArray, KeyArray

PROTONS_PER_RAD_CM2: Final = 7.9e6  # 67 MeV protons; arXiv:2511.19468 v2; public
SAA_FLUX_CM2_S: Final = 100.0  # > 50 MeV: the South Atlantic Anomaly for us; assumption
SAA_DRIFT_RAD: Final = float(np.deg2rad(14.0))
"""Westward drift of the field since AP8MIN's (1960) by 2026: minimum of |B| from 46 W to 60 W,
IGRF-14 through ppigrf 2.1; computed."""

DOSE_PER_SDC_RAD: Final = 17.0  # one accelerator, range 14.4-20; arXiv:2511.19468 v2; public
DOSE_PER_UECC_RAD: Final = 44.0  # one accelerator's HBM, 203 events; same; public
DOSE_PER_ACCEL_SEFI_RAD: Final = 5_000.0  # one accelerator; same; public
DOSE_PER_HOST_CPU_SEFI_RAD: Final = 450.0  # one host; same; public
DOSE_PER_HOST_RAM_SEFI_RAD: Final = 400.0  # one host; same; public
ACCELS_PER_HOST_COUNT: Final = 8  # TPU v6e host, HGX board; rack systems differ; assumption

_GridArray = NDArray[np.float32]


@dataclass(frozen=True)
class TrappedProtonTable:
    """AP8MIN as read from the package: grids are uniform, given by first value and step."""

    header: dict[str, object]
    inverse_l: _GridArray  # (altitude * latitude * longitude,) raveled
    ln_field_ratio: _GridArray  # same shape, ln(B/B0)
    shape: tuple[int, int, int]
    first: tuple[float, float, float]  # altitude km, latitude deg, longitude deg
    spacing: tuple[float, float, float]
    flux_cm2_s: _GridArray  # (L * ln(B/B0),) raveled
    flux_shape: tuple[int, int]
    flux_first: tuple[float, float]
    flux_spacing: tuple[float, float]


class Hazard(NamedTuple):
    """Counting processes of single-event effects, (n, 7) each, kinds in order of SEE_KINDS."""

    hazard_count: FloatArray  # expected events since the epoch
    threshold_count: FloatArray  # hazard at which the next event happens
    event_count: IntArray  # events since the epoch
    new_event_count: IntArray  # events of the last step


@cache
def trapped_proton_table() -> TrappedProtonTable:
    """The table shipped with the package, built by scripts/build_trapped_table.py; read once."""
    resource = files("twin").joinpath("data", "trapped_protons.npz")
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        header: dict[str, object] = json.loads(str(stored["header"]))
        axes = [stored[k] for k in ("altitude_km", "latitude_deg", "longitude_deg")]
        flux_axes = [stored[k] for k in ("mcilwain_l", "ln_field_ratio")]
        inverse_l = stored["inverse_l_level"].astype(np.float64) / 65535.0
        ln_ratio = stored["ln_field_ratio_level"].astype(np.float64) / 65535.0
        flux = stored["flux_cm2_s"]
    low, high = np.asarray(header["ln_field_ratio_limit"], dtype=np.float64)
    inverse_l *= float(str(header["inverse_l_limit"]))
    ln_ratio = low + ln_ratio * (high - low)
    return TrappedProtonTable(
        header=header,
        inverse_l=inverse_l.ravel().astype(np.float32),
        ln_field_ratio=ln_ratio.ravel().astype(np.float32),
        shape=(axes[0].size, axes[1].size, axes[2].size),
        first=(float(axes[0][0]), float(axes[1][0]), float(axes[2][0])),
        spacing=(_spacing(axes[0]), _spacing(axes[1]), _spacing(axes[2])),
        flux_cm2_s=flux.ravel(),
        flux_shape=(flux.shape[0], flux.shape[1]),
        flux_first=(float(flux_axes[0][0]), float(flux_axes[1][0])),
        flux_spacing=(_spacing(flux_axes[0]), _spacing(flux_axes[1])),
    )


def proton_flux_cm2_s(
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    altitude_m: FloatArray,
    drift_rad: float = SAA_DRIFT_RAD,
) -> FloatArray:
    """Trapped protons above 50 MeV [cm-2 s-1], omnidirectional integral, (n,).

    AP8 for solar minimum (Sawyer & Vette 1976) by two look-ups: trilinear 1/L and ln(B/B0) on
    2 deg x 2 deg x 50 km, then bilinear flux. The map is read `drift_rad` east of the
    satellite, because the field has drifted west since AP8's epoch. Orbit means agree with AP8
    itself to 0.5 %, 95 % of single fluxes above 10 cm-2 s-1 to 11 %; AP8 itself is good to a
    factor of about two and has no solar-cycle phase here. Solar maximum gives 0.6-0.75 of it.
    Validity 150-2000 km: below, zero (the atmosphere removes them); above, the flux at 2000 km,
    which is not conservative. nan positions give nan.
    """
    table = trapped_proton_table()
    altitude_km = np.clip(altitude_m * 1e-3, table.first[0], None)
    longitude_deg = np.rad2deg(longitude_rad + drift_rad)
    longitude_deg = longitude_deg - 360.0 * np.round(longitude_deg / 360.0)
    known = np.isfinite(altitude_m + longitude_rad + latitude_rad)
    place = (altitude_km, np.rad2deg(latitude_rad), longitude_deg)
    inverse_l, ln_ratio = _magnetic_coordinates(
        table, tuple(np.where(known, a, 0.0) for a in place)
    )
    flux = _flux_of_coordinates(table, inverse_l, ln_ratio)
    flux[altitude_m < table.first[0] * 1e3] = 0.0
    flux[~known] = np.nan
    return flux


def in_saa(proton_flux: FloatArray) -> BoolArray:
    """True inside the South Atlantic Anomaly, (n,): flux above 50 MeV exceeds 100 cm-2 s-1.

    At 550 km that is 4-5 % of the time in a 53 deg orbit. A flux of nan counts as outside.
    """
    return proton_flux > SAA_FLUX_CM2_S


def dose_rate_rad_s(proton_flux: FloatArray, shield_dose_frac: FloatArray) -> FloatArray:
    """Absorbed dose rate in silicon [rad/s], (n,): flux / 7.9e6 times the shield's factor.

    Validity: behind 8 mm of aluminium or more; thinner shields are electron-dominated and enter
    only through `shield_dose_frac` (dose behind the shield over dose behind 10 mm Al). Gives
    172 rad/yr at 650 km sun-synchronous (AP8 at solar minimum), where arXiv:2511.19468 has about
    150 and AP8 at solar maximum 121.
    """
    return proton_flux * (shield_dose_frac / PROTONS_PER_RAD_CM2)


def host_count(accel_count: IntArray) -> FloatArray:
    """Hosts of each satellite, (n,): one per 8 accelerators, rounded up."""
    return np.ceil(accel_count / ACCELS_PER_HOST_COUNT)


def see_rate_per_s(proton_flux: FloatArray, params: FleetParams) -> FloatArray:
    """Expected single-event effects of a satellite [1/s], (n, 7) in the order of SEE_KINDS.

    Proton effects: flux / (7.9e6 protons/cm2/rad) / (rad per event) per accelerator or host,
    times the technology factor. A shield thicker than 10 mm Al lowers them with its dose; a
    thinner one does not raise them, as the dose it lets in is electrons'. Latch-up and hard
    failures are constant rates per accelerator-year.
    """
    rad_s = dose_rate_rad_s(proton_flux, np.minimum(params.shield_dose_frac, 1.0))
    rad_s = rad_s * params.see_sensitivity_frac
    accels = params.accel_count.astype(np.float64)
    hosts = host_count(params.accel_count)
    rates = {
        "sdc": rad_s * accels / DOSE_PER_SDC_RAD,
        "hbm_uecc": rad_s * accels / DOSE_PER_UECC_RAD,
        "accel_sefi": rad_s * accels / DOSE_PER_ACCEL_SEFI_RAD,
        "host_cpu_sefi": rad_s * hosts / DOSE_PER_HOST_CPU_SEFI_RAD,
        "host_ram_sefi": rad_s * hosts / DOSE_PER_HOST_RAM_SEFI_RAD,
        "sel": params.sel_per_accel_year * accels / SECONDS_PER_JULIAN_YEAR,
        "hard_fail": params.hard_fail_per_accel_year * accels / SECONDS_PER_JULIAN_YEAR,
    }
    return np.stack([rates[kind] for kind in SEE_KINDS], axis=-1)


def initial_hazard(seed: int, satellite_key: KeyArray) -> Hazard:
    """No hazard, no events, and the Exp(1) hazards of the first event; (n, 7) from keys (n,)."""
    none = np.zeros((satellite_key.size, len(SEE_KINDS)), dtype=np.int64)
    first_count = _gap_count(seed, _kind_keys(satellite_key), none)
    return Hazard(none.astype(np.float64), first_count, none, none)


def advance_hazard(
    before: Hazard, rate_per_s: FloatArray, step_s: float, seed: int, satellite_key: KeyArray
) -> Hazard:
    """Events of one step, by an exact inhomogeneous Poisson process; rate (n, 7), key (n,).

    Lambda(t) = integral of the rate; event k happens where Lambda crosses S_k = E_0 + ... + E_k
    with E_k ~ Exp(1) (time change to a unit Poisson process, e.g. Cinlar 1975, section 4.7).
    E_k depends on seed, satellite, kind and k only, so the count depends on Lambda, not on how
    many steps led there; a step may hold any number of events. A nan rate counts as zero.
    """
    hazard = before.hazard_count + np.nan_to_num(rate_per_s, nan=0.0) * step_s
    threshold, events = before.threshold_count.copy(), before.event_count.copy()
    due = np.nonzero(hazard >= threshold)
    keys = _kind_keys(satellite_key) if due[0].size else np.empty((0, 0), dtype=np.uint64)
    while due[0].size:
        events[due] += 1
        threshold[due] += _gap_count(seed, keys[due], events[due])
        still = hazard[due] >= threshold[due]
        due = (due[0][still], due[1][still])
    return Hazard(hazard, threshold, events, events - before.event_count)


def _kind_keys(satellite_key: KeyArray) -> KeyArray:
    return derived_keys(satellite_key[:, np.newaxis], np.arange(len(SEE_KINDS), dtype=np.int64))


def _gap_count(seed: int, keys: KeyArray, event: IntArray) -> FloatArray:
    return exponential(seed, "see", keys, event)


def _spacing(axis: FloatArray) -> float:
    return float((axis[-1] - axis[0]) / (axis.size - 1))


def _cell(
    value: FloatArray, first: float, spacing: float, size: int
) -> tuple[IntArray, FloatArray]:
    # Lower grid index and the fraction towards the next point, clamped to the ends of the axis.
    place = np.clip((value - first) * (1.0 / spacing), 0.0, size - 1.0)
    index = np.minimum(place.astype(np.int64), size - 2)
    return index, place - index


def _magnetic_coordinates(
    table: TrappedProtonTable, place: tuple[FloatArray, ...]
) -> tuple[FloatArray, FloatArray]:
    cells = [
        _cell(value, first, spacing, size)
        for value, first, spacing, size in zip(
            place, table.first, table.spacing, table.shape, strict=True
        )
    ]
    (up, up_part), (north, north_part), (east, east_part) = cells
    row, layer = table.shape[2], table.shape[1] * table.shape[2]
    corner = up * layer + north * row + east
    inverse_l, ln_ratio = np.zeros(corner.size), np.zeros(corner.size)
    for is_up, is_north, is_east in product((0, 1), repeat=3):
        weight = up_part if is_up else 1.0 - up_part
        weight = weight * (north_part if is_north else 1.0 - north_part)
        weight = weight * (east_part if is_east else 1.0 - east_part)
        at = corner + (is_up * layer + is_north * row + is_east)
        inverse_l += table.inverse_l.take(at) * weight
        ln_ratio += table.ln_field_ratio.take(at) * weight
    return inverse_l, ln_ratio


def _flux_of_coordinates(
    table: TrappedProtonTable, inverse_l: FloatArray, ln_ratio: FloatArray
) -> FloatArray:
    # Open field lines are stored as 1/L = 0; L = 50 is already beyond every trapped proton.
    shell = 1.0 / np.maximum(inverse_l, 0.02)
    (i, i_part), (j, j_part) = (
        _cell(value, first, spacing, size)
        for value, first, spacing, size in zip(
            (shell, ln_ratio), table.flux_first, table.flux_spacing, table.flux_shape, strict=True
        )
    )
    row = table.flux_shape[1]
    at = i * row + j
    flux = table.flux_cm2_s
    low = flux.take(at) * (1.0 - j_part) + flux.take(at + 1) * j_part
    high = flux.take(at + row) * (1.0 - j_part) + flux.take(at + row + 1) * j_part
    return np.asarray(low * (1.0 - i_part) + high * i_part)
