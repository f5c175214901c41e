"""Errors against closed forms, libraries and published figures that need no reference file."""

import math
from collections.abc import Iterator
from contextlib import closing
from functools import cache, partial
from importlib.metadata import version

import numpy as np
from factories import class_params
from measured import Measure
from numpy.typing import NDArray
from satellites import EPOCH_UNIX_S, almanac, circular, skyfield_times, starcloud
from scipy.integrate import quad, solve_ivp
from scipy.special import gammaincc, gammaln
from sgp4.api import SatrecArray
from skyfield.api import wgs84
from skyfield.sgp4lib import TEME, theta_GMST1982
from test_val_golden_numbers import ROWS

from twin.attitude import SPIN_UP_S, Attitude, next_attitude
from twin.battery import (
    cell_open_circuit_v,
    stored_j,
    string_open_circuit_v,
)
from twin.clock import gmst_rad, julian_date
from twin.cosmic_rays import PROTON_REST_GEV, half_sky_flux_cm2_s
from twin.economics import launched_power_usd_per_kw_year, mean_surviving_frac
from twin.geometry import earth_fixed_position_m, sun_vector
from twin.latency import queue_wait_s
from twin.lunar import night_duration_s, round_trip_s
from twin.orbit import Orbits
from twin.power_ahead import end_soc_frac
from twin.shielding import shield_dose_frac

Array = NDArray[np.float64]
SUNCATCHER = "Google Suncatcher paper, arXiv:2511.19468"
AI1 = "AI1 analysis, doi:10.5281/zenodo.20670771"


def curve_off_m() -> float:
    """The curve between knots against SGP4 itself, seven low orbits."""
    satellites = [starcloud()] + [
        circular(EPOCH_UNIX_S, km, deg, 40.0 * k, 70.0 * k)
        for k, (km, deg) in enumerate([(200.0, 51.6), (325.0, 45.0), (550.0, 53.0), (650.0, 98.0)])
    ]
    orbits, direct, worst = Orbits(satellites, EPOCH_UNIX_S), SatrecArray(satellites), 0.0
    for elapsed_s in np.linspace(-3000.0, 9000.0, 301).tolist():
        whole, part = julian_date(EPOCH_UNIX_S, elapsed_s)
        _, place_km, _ = direct.sgp4(np.array([whole]), np.array([part]))
        off = orbits.at(elapsed_s).position_teme_m - 1e3 * place_km[:, 0]
        worst = max(worst, float(np.linalg.norm(off, axis=1).max()))
    return worst


@cache
def sun_off() -> tuple[float, float]:
    """Direction [deg] and distance [m] of the Sun against JPL DE421, 2000-2050."""
    instants = np.linspace(946_684_800.0, 2_524_608_000.0, 301)
    sky = almanac()
    with closing(sky("de421.bsp")) as planets:
        times = skyfield_times(sky.timescale(builtin=True), instants)
        seen = planets["earth"].at(times).observe(planets["sun"]).apparent()
        theirs_m = seen.frame_xyz(TEME).m
    worst_deg, worst_m = 0.0, 0.0
    for k, instant in enumerate(instants.tolist()):
        sun, distance_m = sun_vector(instant), float(np.linalg.norm(theirs_m[:, k]))
        sine = np.linalg.norm(np.cross(sun.unit, theirs_m[:, k] / distance_m))
        worst_deg = max(worst_deg, math.degrees(math.asin(sine)))
        worst_m = max(worst_m, abs(sun.distance_m - distance_m))
    return worst_deg, worst_m


def sidereal_off_deg() -> float:
    worst = 0.0
    for elapsed_s in np.linspace(0.0, 1.5e9, 97).tolist():
        whole, part = julian_date(946_728_000.0, elapsed_s)
        theirs = theta_GMST1982(whole, part)[0]
        off = math.remainder(gmst_rad(946_728_000.0, elapsed_s) - theirs, math.tau)
        worst = max(worst, abs(math.degrees(off)))
    return worst


def earth_fixed_off_m() -> float:
    places = [(lat, lon, up) for lat in (-90.0, -33.0, 0.0, 45.0, 89.0) for lon in (-170.0, 10.0)
              for up in (-400.0, 550e3, 36e6)]  # fmt: skip
    theirs = np.array([wgs84.latlon(lat, lon, up).itrs_xyz.m for lat, lon, up in places])
    lat, lon, up = np.array(places).T
    ours = earth_fixed_position_m(np.radians(lat), np.radians(lon), up)
    return float(np.linalg.norm(ours - theirs, axis=1).max())


def queue_off_service_times() -> float:
    """Against Erlang C (exact for exponential times), in service times."""
    worst = 0.0
    for servers in (1, 2, 8, 64):
        for rho in (0.5, 0.8, 0.95):
            offered = rho * servers
            log_last = servers * math.log(offered) - offered - gammaln(servers + 1)
            last = math.exp(log_last) / (1.0 - rho)
            waits = last / (gammaincc(servers, offered) + last)
            true = waits / (servers * (1.0 - rho))
            ours = float(queue_wait_s(np.array(rho), np.array(servers), np.array(1.0)))
            worst = max(worst, abs(ours - true))
    return worst


def galactic_off_pct() -> float:
    """Against scipy's quadrature of the same spectrum, written down anew."""
    mass, worst = PROTON_REST_GEV, 0.0

    def spectrum(kinetic_gev: float, shift_gev: float) -> float:
        far = kinetic_gev + shift_gev
        rigidity = math.sqrt(far * (far + 2.0 * mass))
        local = 1.9e4 * rigidity**-2.78 / (1.0 + 0.4866 * rigidity**-2.51)
        return local * kinetic_gev * (kinetic_gev + 2.0 * mass) / (far * (far + 2.0 * mass))

    for cutoff_gv in (1.0, 3.0, 10.0):
        for phi_mv in (400.0, 1000.0):
            low = math.sqrt(cutoff_gv**2 + mass**2) - mass
            whole = sum(
                quad(spectrum, *ends, args=(phi_mv / 1e3,), limit=400)[0]
                for ends in ((low, 10 * low), (10 * low, 1000 * low), (1000 * low, np.inf))
            )
            true = 2.0 * math.pi * whole * 1e-4
            ours = float(half_sky_flux_cm2_s(np.array([cutoff_gv]), phi_mv)[0])
            worst = max(worst, 100.0 * abs(ours / true - 1.0))
    return worst


def forecast_off_frac() -> float:
    """End of an eclipse at constant power: against the circuit's equation, solved tightly."""
    params = class_params()
    draw_w = params.battery_capacity_j / 3600.0 * 0.4
    one = params.take(np.array([0]))
    charge_as = float(stored_j(np.array([1.0]), one)[0]) / float(
        quad(lambda z: float(string_open_circuit_v(np.array([z]), one)[0]), 0.0, 1.0, limit=200)[0]
    )
    resistance, power_w = float(one.battery_resistance_ohm[0]), float(draw_w[0])

    def rate(_: float, soc: Array) -> list[float]:
        open_v = float(string_open_circuit_v(soc, one)[0])
        root = math.sqrt(open_v**2 - 4.0 * resistance * power_w)
        return [-2.0 * power_w / (open_v + root) / charge_as]

    worst = 0.0
    for minutes in (5.0, 20.0, 35.0):
        true = solve_ivp(rate, (0.0, 60.0 * minutes), [0.85], rtol=1e-9, max_step=30.0).y[0, -1]
        ours = end_soc_frac(np.array([0.85]), draw_w[:1], np.array([60.0 * minutes]), one)
        worst = max(worst, abs(float(ours[0]) - float(true)))
    return worst


def charge_energy_off_frac() -> float:
    whole = quad(lambda z: float(cell_open_circuit_v(np.array([z]))[0]), 0.0, 1.0, limit=200)[0]
    worst = 0.0
    for soc in (0.1, 0.37, 0.8):
        part = quad(lambda z: float(cell_open_circuit_v(np.array([z]))[0]), 0.0, soc, limit=200)[0]
        ours = stored_j(np.array([soc, 1.0]), class_params().take(np.array([0, 0])))
        worst = max(worst, abs(float(ours[0] / ours[1]) - part / whole))
    return worst


def turning_off_rad() -> float:
    """A torque for ten minutes: against the equation of motion, solved tightly."""
    torque = np.array([1e-3])

    def motion(_: float, now: Array) -> list[float]:
        return [now[1], (torque[0] - now[1]) / SPIN_UP_S]

    state, worst = Attitude(np.zeros(1), np.zeros(1)), 0.0
    for tick in range(1, 11):
        state = next_attitude(state, torque, 60.0)
        end = solve_ivp(motion, (0.0, 60.0 * tick), [0.0, 0.0], rtol=1e-10, atol=1e-14).y[:, -1]
        worst = max(worst, abs(math.remainder(float(state.sun_error_rad[0]) - end[0], math.tau)))
    return worst


def _mean_alive(rate: float, life: float) -> float:
    return float(quad(lambda t: math.exp(-rate * t), 0.0, life)[0]) / life


def surviving_off_frac() -> float:
    cases = ((0.101, 5.0), (0.5, 10.0), (1e-4, 1.0))
    return max(abs(mean_surviving_frac(r, life) - _mean_alive(r, life)) for r, life in cases)


def launched_off_pct() -> float:
    """Printed: 14,700 USD/kW/yr at 3,600 USD/kg, 810 at 200; 575 kg, 28 kW, five years."""
    return max(
        100.0 * abs(launched_power_usd_per_kw_year(usd, 575.0, 28.0, 5.0) / printed - 1.0)
        for usd, printed in ((3600.0, 14_700.0), (200.0, 810.0))
    )


def row_off(*names: str, percent: bool = False) -> float:
    """Worst difference from a published figure among rows that begin with one of the names."""
    rows = [row for row in ROWS if row.name.startswith(names)]
    assert rows, names
    scale = [100.0 / row.published if percent else 1.0 for row in rows]
    return max(abs(row.found() - row.published) * by for row, by in zip(rows, scale, strict=True))


def more_measures() -> Iterator[Measure]:
    skyfield, scipy = f"skyfield {version('skyfield')}", f"scipy {version('scipy')}"
    sgp4 = f"sgp4 {version('sgp4')}"
    table = (
        ("orbit.Orbits", "position between knots, five low orbits", "m", sgp4, curve_off_m, 0.6),
        ("geometry.sun_vector", "direction, 2000-2050", "deg", f"{skyfield} with JPL DE421",
         lambda: sun_off()[0], 0.0011),
        ("sun.sun_place", "distance, 2000-2050", "m", f"{skyfield} with JPL DE421",
         lambda: sun_off()[1], 6e6),
        ("clock.gmst_rad", "sidereal angle, 2000-2047", "deg", skyfield, sidereal_off_deg, 1e-6),
        ("geometry.earth_fixed_position_m", "30 places, up to 36,000 km", "m", skyfield,
         earth_fixed_off_m, 1e-6),
        ("latency.queue_wait_s", "mean wait, 1-64 servers, 50-95 % used", "service times",
         "Erlang C", queue_off_service_times, 1.2),
        ("cosmic_rays.half_sky_flux_cm2_s", "cutoffs of 1-10 GV, 400 and 1000 MV", "%",
         f"{scipy} quad", galactic_off_pct, 0.5),
        ("power_ahead.end_soc_frac", "charge (0-1) after up to 35 min at 0.4 C", "",
         f"{scipy} RK45", forecast_off_frac, 0.01),
        ("battery.stored_j", "share of the energy (0-1) at 10, 37 and 80 %", "", f"{scipy} quad",
         charge_energy_off_frac, 1e-6),
        ("attitude.next_attitude", "angle after up to ten minutes under a torque", "rad",
         f"{scipy} RK45", turning_off_rad, 1e-6),
        ("economics.mean_surviving_frac", "mean share alive (0-1)", "", f"{scipy} quad",
         surviving_off_frac, 1e-9),
        ("thermal.equilibrium_temp_k", "radiator at 120 and 150 kW", "K", AI1,
         partial(row_off, "AI1 radiator"), 0.01),
        ("sizing.sustained_load_w", "sustained compute power, new and aged", "kW", AI1,
         partial(row_off, "AI1 sustained compute"), 0.6),
        ("sizing.eclipse_battery_j", "battery at 80 % depth", "kWh", AI1,
         partial(row_off, "AI1 battery"), 0.6),
        ("drag.sma_decay_m_s", "decay edge-on and tumbling at 600 km", "%", AI1,
         partial(row_off, "decay of AI1", percent=True), 12.0),
        ("constellations.sun_synchronous_inclination_rad", "six heights of 500-2,000 km", "deg",
         "table printed to 0.01 deg (Orbital-Datacenters, eclipse_geometry.md)",
         partial(row_off, "sun-synchronous inclination"), 0.006),
        ("constellations.planar_cluster", "members within radius 5", "satellites", SUNCATCHER,
         partial(row_off, "lattice members"), 0.0),
        ("radiation.see_rate_per_s", "events per chip-year at 150 rad, printed to two digits", "%",
         SUNCATCHER,
         partial(row_off, "SDC per chip", "UECC per chip", "host CPU", "host RAM", percent=True),
         2.0),
        ("economics.launched_power_usd_per_kw_year", "at 3,600 and 200 USD/kg", "%", SUNCATCHER,
         launched_off_pct, 1.5),
        ("shielding.shield_dose_frac", "20 over 10 mm of aluminium, ISS orbit", "%",
         "SHIELDOSE-2 through SPENVIS (33 / 45 rad)",
         lambda: 100.0 * abs(shield_dose_frac(20.0) / (33.0 / 45.0) - 1.0), 5.0),
        ("lunar.night_duration_s", "night at the equator", "h", "14.75 days, as Lonestar plans",
         lambda: abs(night_duration_s(0.0) / 3600.0 - 14.75 * 24.0), 1.0),
        ("lunar.round_trip_s", "signal to the Moon and back", "s", "2.56 s, as published",
         lambda: abs(round_trip_s() - 2.56), 0.006),
    )  # fmt: skip
    for function, what, unit, against, value, bound in table:
        yield Measure(f"twin.{function}", what, unit, against, value, bound)
