"""Galactic cosmic rays: protons from outside the heliosphere that pass the Earth's field."""

from functools import lru_cache
from typing import Final

import numpy as np

from twin.state import FloatArray

PROTON_REST_GEV: Final = 0.93827209  # CODATA 2018
CUTOFF_AT_L1_GV: Final = (
    15.96  # vertical cutoff at L = 1: fit to Shea et al.'s trajectories; public
)
CUTOFF_EXPONENT: Final = 2.005  # same
SOLAR_MINIMUM_MV: Final = 400.0  # modulation potential, quiet Sun; Usoskin et al. 2005; public
SOLAR_MAXIMUM_MV: Final = 1000.0  # same, active Sun
_INVERSE_L_STEP: Final = 1.0 / 1024.0
_INVERSE_L_LIMIT: Final = 1.25


def cutoff_rigidity_gv(inverse_l: FloatArray) -> FloatArray:
    """Vertical geomagnetic cutoff [GV], (n,): Rc = 15.96 L^-2.005; 0 on open field lines.

    Fit of trajectory-traced cutoffs against McIlwain's L (Shea, Smart & Gentile 1987, Physics
    of the Earth and Planetary Interiors 48, 200). Below about 0.3 GV real cutoffs are lower
    than this and swing with local time and storms. nan gives nan.

    Validity: `inverse_l` [1]; above 0.3 GV, quiet field.
    Source: Shea, Smart & Gentile 1987, Phys. Earth Planet. Inter. 48, 200.
    """
    return np.asarray(CUTOFF_AT_L1_GV * np.power(np.maximum(inverse_l, 0.0), CUTOFF_EXPONENT))


def lowered_inverse_l(inverse_l: FloatArray, lowering_rad: float) -> FloatArray:
    """1/L after a storm has moved every cutoff towards the equator by an angle [rad], (n,).

    A shell's invariant latitude is cos^2(Lambda) = 1/L; the particles that reached Lambda now
    reach Lambda - lowering: 1/L' = cos^2(Lambda + lowering). Shells below L = 1 keep theirs.

    Validity: `inverse_l` [1]; one angle at all local times.
    Source: closed form on dipole shells, cos^2(Lambda) = 1 / L (McIlwain 1961, J. Geophys. Res.
    66, 3681).
    """
    # cos^2(L + d) = 1/L cos^2 d + (1 - 1/L) sin^2 d - 2 sin d cos d sqrt(1/L (1 - 1/L))
    inside = np.minimum(np.maximum(inverse_l, 0.0), 1.0)
    outside = 1.0 - inside
    cosine, sine = np.cos(lowering_rad), np.sin(lowering_rad)
    root = np.sqrt(inside * outside)
    moved = inside * cosine**2 + outside * sine**2 - (2.0 * sine * cosine) * root
    # Past the pole there is no shell: the field is open.
    moved = np.where(inside < sine * sine, 0.0, np.maximum(moved, 0.0))
    return np.where(inverse_l > 1.0, inverse_l, moved)


def kinetic_energy_gev(rigidity_gv: FloatArray) -> FloatArray:
    """Kinetic energy of a proton [GeV] from its rigidity [GV], (n,): sqrt(P^2 + m^2) - m.

    Validity: protons, m = 0.938 GeV.
    Source: closed form: E^2 = P^2 + m^2 for charge 1.
    """
    return np.asarray(np.sqrt(np.square(rigidity_gv) + PROTON_REST_GEV**2) - PROTON_REST_GEV)


def rigidity_gv(energy_gev: FloatArray) -> FloatArray:
    """Rigidity of a proton [GV] from its kinetic energy [GeV], (n,): sqrt(T (T + 2 m)).

    Validity: protons, m = 0.938 GeV.
    Source: closed form: P^2 = T (T + 2 m) for charge 1.
    """
    return np.asarray(np.sqrt(energy_gev * (energy_gev + 2.0 * PROTON_REST_GEV)))


def half_sky_flux_cm2_s(cutoff_gv: FloatArray, modulation_mv: float) -> FloatArray:
    """Protons above a cutoff over half the sky [cm-2 s-1], (n,).

    2 pi times the integral over T of J(T) = J_LIS(T + phi) T (T + 2m) / [(T + phi)(T + phi +
    2m)], the force field (Gleeson & Axford 1968), with the local interstellar spectrum
    J_LIS = 1.9e4 P^-2.78 / (1 + 0.4866 P^-2.51) m-2 sr-1 s-1 GeV-1 (Usoskin et al. 2005, JGR
    110, A12108, eq. 2-3). phi 200-1500 MV; 400 at solar minimum, 1000 at maximum. At 1, 3, 6,
    10, 14.9 GV and 400 MV: 1.88, 0.63, 0.22, 0.10, 0.05.

    Validity: modulation 200-1500 MV, cutoffs 0.01-20 GV.
    Source: Gleeson & Axford 1968, Astrophys. J. 154, 1011; Usoskin et al. 2005, J. Geophys.
    Res. 110, A12108, eq. 2-3.
    """
    energy_gev = np.logspace(-4.0, 4.0, 8001)
    phi_gv = modulation_mv * 1e-3
    outside_gev = energy_gev + phi_gv
    outside_gv = rigidity_gv(outside_gev)
    interstellar = 1.9e4 * outside_gv**-2.78 / (1.0 + 0.4866 * outside_gv**-2.51)
    per_m2_sr_gev = interstellar * np.square(rigidity_gv(energy_gev) / outside_gv)
    slices = 0.5 * (per_m2_sr_gev[1:] + per_m2_sr_gev[:-1]) * np.diff(energy_gev)
    above = np.append(np.cumsum(slices[::-1])[::-1], 0.0)
    flux: FloatArray = np.interp(kinetic_energy_gev(cutoff_gv), energy_gev, above)
    return 2.0 * np.pi * 1e-4 * flux


def gcr_flux_cm2_s(inverse_l: FloatArray, sky_frac: FloatArray, modulation_mv: float) -> FloatArray:
    """Cosmic-ray protons above the vertical cutoff [cm-2 s-1], omnidirectional, (n,).

    `half_sky_flux_cm2_s` at the cutoff of the shell, times the open sky over half a sphere:
    `sky_frac` is 1 on the ground and 1.35-1.42 in low orbit. East-west asymmetry and the
    penumbra are left out. Heavier nuclei are in the dose, not here. nan gives nan.

    Validity: `inverse_l` [1]; protons only; vertical cutoff for all directions.
    Source: Usoskin et al. 2005, J. Geophys. Res. 110, A12108, eq. 2-3, above the cutoff of
    Shea, Smart & Gentile 1987.
    """
    table = _by_inverse_l(modulation_mv)
    known = np.isfinite(inverse_l)
    place = np.clip(np.where(known, inverse_l, 0.0), 0.0, _INVERSE_L_LIMIT) / _INVERSE_L_STEP
    index = np.minimum(place.astype(np.int64), table.size - 2)
    low = table.take(index)
    flux = (low + (table.take(index + 1) - low) * (place - index)) * sky_frac
    return np.where(known, flux, np.nan)


def open_sky_frac(earth_view_frac: FloatArray) -> FloatArray:
    """Sky not covered by the Earth over half a sphere, (n,): 1 + sqrt(1 - (R/r)^2), 1 to 2.

    Validity: a spherical Earth, no atmosphere.
    Source: closed form: solid angle outside a cone of half angle asin(R/r).
    """
    return np.asarray(1.0 + np.sqrt(np.maximum(1.0 - earth_view_frac, 0.0)))


@lru_cache(maxsize=8)
def _by_inverse_l(modulation_mv: float) -> FloatArray:
    inverse_l = np.arange(0.0, _INVERSE_L_LIMIT + _INVERSE_L_STEP, _INVERSE_L_STEP)
    return half_sky_flux_cm2_s(cutoff_rigidity_gv(inverse_l), modulation_mv)
