"""Dose and single-event effects, from the fluxes that surround a satellite.

Protons above 50 MeV drive both: 10 mm of aluminium stops protons below about 48 MeV, and one
rad in silicon is 7.9e6 protons/cm2 at the 67 MeV of the beam in which the accelerators were
tested (Google, arXiv:2511.19468). Electrons and cosmic rays add dose; electrons no events.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.noise import derived_keys, exponential
from twin.state import SEE_KINDS, Environment, FleetParams, FloatArray, IntArray, KeyArray

PROTONS_PER_RAD_CM2: Final = 7.9e6  # 67 MeV protons; arXiv:2511.19468 v2; public
GCR_RAD_CM2: Final = 2.3 * 1.66 * 1.602e-8
"""Dose per cosmic-ray proton [rad cm2]: minimum ionisation in silicon, 1.66 MeV cm2/g (PDG), and
2.3 for the heavier nuclei that come with it (12 % helium, 1 % Z > 2, by Z^2; Simpson 1983,
Annual Review of Nuclear and Particle Science 33, 323); computed. No shield of a satellite
changes it much."""

DOSE_PER_SDC_RAD: Final = 17.0  # one accelerator, range 14.4-20; arXiv:2511.19468 v2; public
DOSE_PER_UECC_RAD: Final = 44.0  # one accelerator's HBM, 203 events; same; public
DOSE_PER_ACCEL_SEFI_RAD: Final = 5_000.0  # one accelerator; same; public
DOSE_PER_HOST_CPU_SEFI_RAD: Final = 450.0  # one host; same; public
DOSE_PER_HOST_RAM_SEFI_RAD: Final = 400.0  # one host; same; public
ACCELS_PER_HOST_COUNT: Final = 8  # TPU v6e host, HGX board; rack systems differ; assumption


class Hazard(NamedTuple):
    """Counting processes of single-event effects, (n, 7) each, kinds in order of SEE_KINDS."""

    hazard_count: FloatArray  # expected events since the epoch
    threshold_count: FloatArray  # hazard at which the next event happens
    event_count: IntArray  # events since the epoch
    new_event_count: IntArray  # events of the last step


def dose_rate_rad_s(environment: Environment, params: FleetParams) -> FloatArray:
    """Absorbed dose rate in silicon behind each satellite's shield [rad/s], (n,).

    (trapped protons x shield + solar protons x shield) / 7.9e6 + electrons x k(shield) + cosmic
    rays x 6.1e-8, fluxes as in Environment, factors as in twin/shielding.py. Validity: shields
    of 0.5 to 100 mm aluminium. At 650 km sun-synchronous behind 10 mm: 172 rad/yr of protons
    at solar minimum, where arXiv:2511.19468 has about 150 and AP8 at solar maximum 121; cosmic
    rays add about 2, electrons' X-rays 6-14. Behind 1-5 mm on the ISS orbit within 15 % of
    SHIELDOSE-2 (AP8MIN + AE8MAX).

    Source: Google Suncatcher paper 2025, arXiv:2511.19468, section on radiation (7.9e6
    protons/cm2/rad at 67 MeV); shields of `twin/shielding.py`.
    """
    protons = environment.proton_flux_cm2_s * params.shield_dose_frac
    protons = protons + environment.spe_flux_cm2_s * params.shield_spe_frac
    return np.asarray(
        protons / PROTONS_PER_RAD_CM2
        + environment.electron_flux_cm2_s * params.shield_electron_rad_cm2
        + environment.gcr_flux_cm2_s * GCR_RAD_CM2
    )


def host_count(accel_count: IntArray) -> FloatArray:
    """Hosts of each satellite, (n,): one per 8 accelerators, rounded up.

    Validity: servers of at most 8 accelerators.
    Source: by definition; 8 as in the published 8-way servers (NVIDIA DGX H100 data sheet,
    2023).
    """
    return np.ceil(accel_count / ACCELS_PER_HOST_COUNT)


def see_rate_per_s(environment: Environment, params: FleetParams) -> FloatArray:
    """Expected single-event effects of a satellite [1/s], (n, 7) in the order of SEE_KINDS.

    Proton effects: flux / (7.9e6 protons/cm2/rad) / (rad per event) per accelerator or host,
    times the technology factor; the flux above 50 MeV of trapped, solar and cosmic-ray protons,
    as the nuclear reactions behind them hardly depend on energy there. A shield thicker than
    10 mm Al lowers them with its dose (cosmic rays pass); a thinner one does not raise them: the
    protons it lets in upset less, the electrons not at all. Latch-up and hard failures are
    constant rates per accelerator-year.

    Validity: protons above 50 MeV; parts of the class that was tested (Trillium), others by a
    technology factor.
    Source: Google Suncatcher paper 2025, arXiv:2511.19468, section on radiation (rad per
    event).
    """
    flux = environment.proton_flux_cm2_s * np.minimum(params.shield_dose_frac, 1.0)
    flux = flux + environment.spe_flux_cm2_s * np.minimum(params.shield_spe_frac, 1.0)
    rad_s = (flux + environment.gcr_flux_cm2_s) / PROTONS_PER_RAD_CM2
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

    Validity: any step; rates constant within it.
    Source: Cinlar 1975, Introduction to Stochastic Processes, section 4.7 (time change of a
    Poisson process).
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
