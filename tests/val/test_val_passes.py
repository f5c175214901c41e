"""Passes and verification by Skyfield against SatKit's own frames, and against faults of ours."""

import json

import numpy as np
import pytest
import satkit
from satellites import EPOCH_UNIX_S, STARCLOUD_TLE, circular, starcloud
from typer.testing import CliRunner

from services import verify
from services.almanac import open_almanac
from services.cli import app
from services.passes import Pass, find_passes
from twin.constants import SPEED_OF_LIGHT_M_S
from twin.network import GROUND_STATIONS, GroundStation

HOURS = 24.0
MASK_DEG = 10.0
STEP_S = 10.0


def _satkit_elevation_and_range(
    station: GroundStation, since_s: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    satkit.frametransform.disable_eop_time_warning()
    (tle,) = satkit.TLE.from_lines(["STARCLOUD-1", *STARCLOUD_TLE])
    times = [satkit.time.from_unixtime(EPOCH_UNIX_S + float(t)) for t in since_s]
    teme, _ = satkit.sgp4(tle, times)
    fixed = np.array(
        [satkit.frametransform.qteme2itrf(t) * p for t, p in zip(times, teme, strict=True)]
    )
    site = satkit.itrfcoord(
        latitude_deg=station.latitude_deg,
        longitude_deg=station.longitude_deg,
        altitude=station.height_m,
    )
    lat, lon = np.radians(station.latitude_deg), np.radians(station.longitude_deg)
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    away = fixed - site.vector
    range_m = np.linalg.norm(away, axis=1)
    return np.degrees(np.arcsin(away @ up / range_m)), range_m


@pytest.mark.parametrize("row", [4, 6, 9, 0])
def test_val_passes_against_satkit(row: int) -> None:
    station = GROUND_STATIONS[row]
    with open_almanac() as almanac:
        found = find_passes(
            almanac,
            starcloud(),
            station,
            start_unix_s=EPOCH_UNIX_S,
            hours=HOURS,
            mask_deg=MASK_DEG,
        )
    since_s = np.arange(0.0, HOURS * 3600.0, STEP_S)
    elevation_deg, range_m = _satkit_elevation_and_range(station, since_s)
    up = elevation_deg > MASK_DEG
    starts = np.flatnonzero(up & ~np.roll(up, 1))
    print(station.name, len(found), "passes")
    # A pass shorter than two samples may be missed by the brute search, none other.
    long_enough = [one for one in found if _length_s(one) > 2 * STEP_S]
    assert len(long_enough) <= starts.size <= len(found)
    if row == 0:  # 45 deg of inclination at 500 km is never seen from Svalbard
        assert not found
        return
    assert found
    for one in found:
        for instant in (one.rise_unix_s, one.set_unix_s):
            if instant is not None:
                at_deg = np.interp(instant - EPOCH_UNIX_S, since_s, elevation_deg)
                assert at_deg == pytest.approx(MASK_DEG, abs=0.05)
        near = np.abs(since_s - (one.culmination_unix_s - EPOCH_UNIX_S)) < 400.0
        top = int(np.argmax(np.where(near, elevation_deg, -90.0)))
        assert one.max_elevation_deg == pytest.approx(elevation_deg[top], abs=0.6)
        assert one.max_elevation_deg >= elevation_deg[top] - 0.02
        assert abs(since_s[top] - (one.culmination_unix_s - EPOCH_UNIX_S)) <= STEP_S
        assert one.min_range_km == pytest.approx(range_m[top] / 1e3, rel=0.02)
        assert one.one_way_ms == pytest.approx(one.min_range_km * 1e6 / SPEED_OF_LIGHT_M_S)


def _length_s(one: Pass) -> float:
    begin = one.rise_unix_s or EPOCH_UNIX_S
    end = one.set_unix_s or EPOCH_UNIX_S + HOURS * 3600.0
    return end - begin


def test_val_a_satellite_that_never_sets_has_one_open_pass() -> None:
    above = GroundStation("below it", 0.0, 0.0, 0.0)
    satellite = circular(EPOCH_UNIX_S, 35_786.0, 0.01)
    with open_almanac() as almanac:
        lon = np.degrees(
            almanac.satellite(satellite)
            .at(almanac.times(np.array([EPOCH_UNIX_S])))
            .subpoint()
            .longitude.radians[0]
        )
        station = above._replace(longitude_deg=float(lon))
        found = find_passes(
            almanac, satellite, station, start_unix_s=EPOCH_UNIX_S, hours=6.0, mask_deg=10.0
        )
    assert len(found) == 1
    assert found[0].rise_unix_s is None
    assert found[0].set_unix_s is None
    assert found[0].max_elevation_deg > 85.0
    assert found[0].min_range_km == pytest.approx(35_786.0, rel=0.01)


def test_passes_and_verify_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner()
    there = ["--epoch", "2026-11-21T00:00:00Z"]
    unknown = run.invoke(app, ["passes", "flown-2026", "--sat", "NOBODY", *there])
    assert unknown.exit_code != 0
    assert "NOBODY" in str(unknown.exception)
    listed = run.invoke(
        app, ["passes", "flown-2026", "--sat", "STARCLOUD_1", "--hours", "12", "--json", *there]
    )
    assert listed.exit_code == 0, listed.output
    rows = json.loads(listed.stdout[listed.stdout.index("[") :])
    assert rows
    assert {"station", "rise_unix_s", "max_elevation_deg", "one_way_ms"} <= rows[0].keys()
    assert [one["culmination_unix_s"] for one in rows] == sorted(
        one["culmination_unix_s"] for one in rows
    )
    args = ["verify", "flown-2026", "--sats", "2", "--hours", "3", "--json", *there]
    good = run.invoke(app, args)
    assert good.exit_code == 0, good.output
    whole = json.loads(good.stdout[good.stdout.index("{") :])
    assert whole["passed"]
    by_name = {one["quantity"]: one for one in whole["comparisons"]}
    assert by_name["eclipse edge"]["compared_count"] >= 4
    assert by_name["eclipse edge"]["worst"] < 0.5
    assert by_name["sub-point"]["worst"] < 200.0
    # An Earth turned by a hundredth of a degree is 1.1 km on the ground: it must be seen.
    turned = verify.gmst_rad
    monkeypatch.setattr(verify, "gmst_rad", lambda *at: turned(*at) + np.radians(0.01))
    bad = run.invoke(app, args)
    assert bad.exit_code == 1
    assert not json.loads(bad.stdout[bad.stdout.index("{") :])["passed"]


def test_verify_sees_a_shadow_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    right = verify.sunlit_frac
    monkeypatch.setattr(
        verify, "sunlit_frac", lambda position, *rest, **how: right(position * 1.003, *rest, **how)
    )
    done = CliRunner().invoke(
        app,
        ["verify", "flown-2026", "--sats", "1", "--hours", "2", "--epoch", "2026-11-21T00:00:00Z"],
    )
    assert done.exit_code == 1
    assert "BEYOND" in done.stdout
