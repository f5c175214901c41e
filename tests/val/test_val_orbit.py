"""The Hermite curve between knots against SGP4 itself."""

import numpy as np
from satellites import EPOCH_UNIX_S, circular, starcloud
from sgp4.api import SatrecArray

from twin.clock import julian_date
from twin.orbit import Orbits


def test_val_curve_between_knots_stays_within_a_metre_of_sgp4() -> None:
    satellites = [starcloud()] + [
        circular(EPOCH_UNIX_S, altitude_km, inclination_deg, 40.0 * k, 70.0 * k)
        for k, (altitude_km, inclination_deg) in enumerate(
            [(200.0, 51.6), (325.0, 45.0), (420.0, 51.6), (550.0, 53.0), (650.0, 98.0), (1400, 99)]
        )
    ]
    orbits, direct = Orbits(satellites, EPOCH_UNIX_S), SatrecArray(satellites)
    worst_m, worst_m_s = 0.0, 0.0
    for elapsed_s in np.linspace(-3000.0, 9000.0, 701):
        whole, fraction = julian_date(EPOCH_UNIX_S, float(elapsed_s))
        _, place_km, speed_km_s = direct.sgp4(np.array([whole]), np.array([fraction]))
        motion = orbits.at(float(elapsed_s))
        off_m = np.linalg.norm(motion.position_teme_m - place_km[:, 0] * 1e3, axis=1)
        off_m_s = np.linalg.norm(motion.velocity_teme_m_s - speed_km_s[:, 0] * 1e3, axis=1)
        worst_m, worst_m_s = max(worst_m, off_m.max()), max(worst_m_s, off_m_s.max())
    print(f"worst {worst_m:.3f} m, {worst_m_s:.4f} m/s")
    assert 0.0 < worst_m < 0.6
    assert worst_m_s < 0.1
