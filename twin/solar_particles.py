"""Solar particle events: spectrum, course in time, and how much of one reaches an orbit."""

import math
from functools import cache
from typing import Final

import numpy as np

from twin.cosmic_rays import rigidity_gv
from twin.state import FloatArray, IntArray

S_THRESHOLDS_PFU: Final = (10.0, 1e2, 1e3, 1e4, 1e5)
"""NOAA S1-S5: protons above 10 MeV, 1 pfu = 1 cm-2 s-1 sr-1 (NOAA space weather scales; public)."""
PEAK_OVER_THRESHOLD: Final = math.sqrt(10.0)
"""An event of a level peaks in the middle of its decade: S4 at 3.2e4 pfu, between SAPPHIRE's
1-in-10-year peak of 1.5e4 and its 1-in-100-year peak of 5.1e4 (Jiggens et al. 2018); assumption."""
RISE_S: Final = 1.5 * 3600.0  # onset to peak, well-connected events take 0.5-2 h; assumption
EVENT_ENERGY_GEV: Final = 0.050  # the energy of the dose rule: behind 10 mm of aluminium

_ENERGY_GEV: Final = np.array([0.010, 0.030, 0.050, 0.100])
_FLUENCE_CM2: Final = np.array([7.3e9, 1.3e9, 4.2e8, 7.7e7])
"""SAPPHIRE 1-in-10-year event above each energy (Jiggens et al. 2018, table 8; public)."""
_LAST_GV: Final = float(rigidity_gv(np.array(1.0)))  # SAPPHIRE ends at 1 GeV


def integral_spectrum_frac(above_gv: FloatArray) -> FloatArray:
    """Protons above a rigidity [GV] over those above 10 MeV, (n,).

    Power laws in rigidity through SAPPHIRE's fluences above 10, 30, 50 and 100 MeV (exponents
    -3.1, -4.3, -4.7), the outer two carried on; none above 1 GeV, where that model ends. The
    shape of the fluence is used for the peak too.

    Validity: 10-1000 MeV.
    Source: Jiggens et al. 2018, J. Space Weather Space Clim. 8, A31, table 8 (SAPPHIRE).
    """
    known_gv = rigidity_gv(_ENERGY_GEV)
    known, ln_frac = np.log(known_gv), np.log(_FLUENCE_CM2 / _FLUENCE_CM2[0])
    # np.interp holds its ends: the two outer power laws are added as far points.
    slope = np.diff(ln_frac) / np.diff(known)
    far = np.array([known[0] - 5.0, *known, known[-1] + 5.0])
    ln_far = np.array([ln_frac[0] - 5.0 * slope[0], *ln_frac, ln_frac[-1] + 5.0 * slope[-1]])
    ln_gv = np.log(np.maximum(above_gv, 1e-3))
    return np.where(above_gv > _LAST_GV, 0.0, np.exp(np.interp(ln_gv, far, ln_far)))


def spe_flux_cm2_s(
    cutoff_gv: FloatArray, sky_frac: FloatArray, free_space_pfu: float | FloatArray
) -> FloatArray:
    """Solar protons above 50 MeV that reach a satellite [cm-2 s-1], omnidirectional, (n,).

    2 pi sky_frac pfu times the share of the spectrum above 0.31 GV (50 MeV) and above the
    vertical cutoff, whichever is higher: all of it over the poles, none at low latitude. The
    flux above 10 MeV in free space [pfu] is one number or (n,). Isotropic, as events are after
    their first hour. nan gives nan.

    Validity: after an event's first, directional hour; cutoffs as of `cutoff_rigidity_gv`.
    Source: Jiggens et al. 2018, J. Space Weather Space Clim. 8, A31, table 8; none below the
    cutoff of Shea, Smart & Gentile 1987.
    """
    if not np.any(free_space_pfu):
        return np.asarray(cutoff_gv * 0.0)
    known = np.isfinite(cutoff_gv)
    share = _share_by_cutoff()
    # Linear between 4096 points up to 1.7 GV: 1e-6 of the spectrum.
    place = np.where(known, cutoff_gv, 0.0) * ((share.size - 2) / _LAST_GV)
    np.minimum(place, share.size - 2.0, out=place)
    index = place.astype(np.int64)
    low = share.take(index)
    reached = low + (share.take(index + 1) - low) * (place - index)
    reached *= 2.0 * np.pi * sky_frac
    return np.where(known, reached * free_space_pfu, np.nan)


@cache
def _share_by_cutoff() -> FloatArray:
    # Share of the spectrum above 50 MeV that a cutoff lets in; the last two points are zero.
    cutoff_gv = np.linspace(0.0, _LAST_GV, 4095)
    least_gv = float(rigidity_gv(np.array(EVENT_ENERGY_GEV)))
    share = integral_spectrum_frac(np.maximum(cutoff_gv, least_gv))
    share[-1] = 0.0
    return np.append(share, 0.0)


def event_pfu(level: int, since_onset_s: float, duration_s: float) -> float:
    """Flux above 10 MeV in free space during an event of NOAA level 1-5 [pfu].

    Rises linearly to the peak in 1.5 h (or a quarter of a short event), then decays
    exponentially such that it is back at NOAA's event threshold of 10 pfu at `duration_s` after
    the onset; the same decay goes on below it. Zero before the onset.

    Validity: levels 1-5; one impulsive event, no second peak.
    Source: NOAA Space Weather Scales 2011 (peaks); rise and decay: assumption, beside the
    constants of `twin/solar_particles.py`.
    """
    if since_onset_s <= 0.0:
        return 0.0
    peak_pfu = S_THRESHOLDS_PFU[level - 1] * PEAK_OVER_THRESHOLD
    rise_s = min(RISE_S, 0.25 * duration_s)
    if since_onset_s <= rise_s:
        return peak_pfu * since_onset_s / rise_s
    decay_s = (duration_s - rise_s) / math.log(peak_pfu / S_THRESHOLDS_PFU[0])
    return peak_pfu * math.exp(-(since_onset_s - rise_s) / decay_s)


def s_level(pfu: float | FloatArray) -> IntArray:
    """NOAA S level of a flux above 10 MeV [pfu], same shape: 0 below S1, 5 at most."""
    return np.searchsorted(np.array(S_THRESHOLDS_PFU), pfu, side="right").astype(np.int64)
