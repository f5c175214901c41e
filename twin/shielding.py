"""How an aluminium shield changes dose: one factor for each kind of radiation.

Trapped protons and solar protons by the continuous-slowing-down range in aluminium at the
centre of a sphere, from AP8MIN's mean spectra in low orbit and from the SAPPHIRE event;
electrons by what SHIELDOSE-2 has left on the ISS orbit after the protons.
"""

from typing import Final

import numpy as np

# Behind 10 mm = 1. Bethe stopping power, spectra at 420, 550 and 650 km within 10 %; computed.
_PROTON_MM: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
_PROTON_FRAC: Final = (4.1, 2.63, 1.82, 1.53, 1.29, 1.095, 1.0, 0.851, 0.705, 0.563, 0.357, 0.168)
# The same with SAPPHIRE's fluence, softer by far; computed.
_SPE_FRAC: Final = (54.7, 22.6, 9.17, 5.54, 3.05, 1.44, 1.0, 0.491, 0.296, 0.147, 0.058, 0.016)

_SHIELDOSE_MM: Final = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
_SHIELDOSE_RAD_YEAR: Final = (1897.0, 704.0, 341.0, 109.0, 45.0, 33.0)
"""ISS orbit, AP8MIN + AE8MAX, SHIELDOSE-2 through SPENVIS: total dose in silicon; public."""
_ISS_ELECTRONS_CM2_YEAR: Final = 860.0 * 3.15576e7  # AE8MAX above 1 MeV, same orbit; computed
_BREMSSTRAHLUNG_RAD_CM2: Final = (1.2e-10, 7.0e-11)
"""Behind 10 and 20 mm no electron of the belts gets through, its X-rays do: 3 and 2 rad a year
on that orbit, within what the proton share leaves open; assumption."""


def shield_dose_frac(shield_mm_al: float) -> float:
    """Dose of trapped protons behind a shield over that behind 10 mm of aluminium.

    Log-log interpolation, 0.5-100 mm, held at the ends. SHIELDOSE-2's 33 / 45 from 20 to 10 mm
    (0.73) against 0.705 here.

    Validity: 0.5-100 mm of aluminium, low orbit.
    Source: continuous slowing down by Bethe's formula (Bethe 1930, Ann. Phys. 397, 325) at the
    centre of a sphere, spectra of Sawyer & Vette 1976 (AP8MIN); beside SHIELDOSE-2 (Seltzer
    1994, NISTIR 5477).
    """
    return _log_log(shield_mm_al, _PROTON_MM, _PROTON_FRAC)


def shield_spe_frac(shield_mm_al: float) -> float:
    """Dose of solar protons behind a shield over that behind 10 mm of aluminium.

    Log-log interpolation, 0.5-100 mm, held at the ends.

    Validity: 0.5-100 mm of aluminium.
    Source: continuous slowing down by Bethe's formula (Bethe 1930, Ann. Phys. 397, 325) at the
    centre of a sphere, spectrum of Jiggens et al. 2018, table 8.
    """
    return _log_log(shield_mm_al, _PROTON_MM, _SPE_FRAC)


def shield_electron_rad_cm2(shield_mm_al: float) -> float:
    """Dose behind a shield per trapped electron above 1 MeV in free space [rad cm2].

    SHIELDOSE-2's total on the ISS orbit less the protons' share of it (all of the 45 rad/yr at
    10 mm, scaled by `shield_dose_frac`), over AE8MAX's fluence there: 6.6e-8 behind 1 mm, 1.9e-9
    behind 5 mm; bremsstrahlung from 10 mm on. Log-log interpolation, carried on below 1 mm,
    held above 20 mm. The outer belt's harder electrons get through better than this has it.

    Validity: 1-20 mm of aluminium, low orbit.
    Source: Seltzer 1994, NISTIR 5477 (SHIELDOSE-2, run by SPENVIS on the ISS orbit) over Vette
    1991 (AE8MAX).
    """
    behind = np.array(_SHIELDOSE_RAD_YEAR) - 45.0 * np.array(
        [shield_dose_frac(depth_mm) for depth_mm in _SHIELDOSE_MM]
    )
    rad_cm2 = behind / _ISS_ELECTRONS_CM2_YEAR
    rad_cm2[-2:] = _BREMSSTRAHLUNG_RAD_CM2
    carried_on = rad_cm2[0] * (rad_cm2[0] / rad_cm2[1])
    return _log_log(shield_mm_al, (0.5, *_SHIELDOSE_MM), (carried_on, *rad_cm2.tolist()))


def _log_log(value: float, x: tuple[float, ...], y: tuple[float, ...]) -> float:
    return float(np.exp(np.interp(np.log(value), np.log(x), np.log(y))))
