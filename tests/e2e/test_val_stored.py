"""What is in the store against Skyfield: three satellites, three instants, all by the real way.

Skyfield takes the same catalogued elements through its own frames and ephemeris (DE421, IAU
precession and nutation, WGS84 geodesy), none of which is our code.
"""

import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from running import ROOT, environment, run_up
from satellites import almanac
from skyfield.api import EarthSatellite, wgs84

ELEMENTS = ROOT / "data" / "starlink-2026-04-30.tle"
QUESTION = """
    SELECT sat, time, orb_lat_deg, orb_lon_deg, orb_alt_km, orb_sunlit_frac
    FROM sat_state WHERE sat = ANY($sats) ORDER BY sat, time
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a 30 s run of all 10,281 Starlinks."""
    state_dir = tmp_path_factory.mktemp("var")
    run_up(environment(state_dir), "--scenario", "starlink-compute", "--for", "30s")
    return state_dir / "telemetry.duckdb"


def element_sets() -> dict[str, tuple[str, str, str]]:
    lines = [line.strip() for line in ELEMENTS.read_text().splitlines() if line.strip()]
    triples = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    return {name.replace("-", "_"): (name, one, two) for name, one, two in triples}


def test_val_stored_positions_and_light_agree_with_skyfield(database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        lit = connection.execute(
            "SELECT sat FROM sat_state GROUP BY sat HAVING min(orb_sunlit_frac) = 1 ORDER BY sat"
        ).fetchall()
        dark = connection.execute(
            "SELECT sat FROM sat_state GROUP BY sat HAVING max(orb_sunlit_frac) = 0 ORDER BY sat"
        ).fetchall()
        assert len(lit) > 5000
        assert len(dark) > 1000
        chosen = [lit[0][0], lit[len(lit) // 2][0], dark[len(dark) // 2][0]]
        rows = connection.execute(QUESTION, {"sats": chosen}).fetchall()
    assert len(rows) == 9
    load = almanac()
    scale, catalogue = load.timescale(builtin=True), element_sets()
    with closing(load("de421.bsp")) as ephemeris:
        check_rows(rows, scale, ephemeris, catalogue)


def check_rows(rows, scale, ephemeris, catalogue) -> None:  # type: ignore[no-untyped-def]
    for sat, time_ns, lat_deg, lon_deg, alt_km, sunlit_frac in rows:
        name, one, two = catalogue[sat]
        instant = scale.from_datetime(datetime.fromtimestamp(time_ns / 1e9, tz=UTC))
        place = EarthSatellite(one, two, name, scale).at(instant)
        point = wgs84.geographic_position_of(place)
        assert lat_deg == pytest.approx(point.latitude.degrees, abs=0.05)
        assert (lon_deg - point.longitude.degrees + 180.0) % 360.0 - 180.0 == pytest.approx(
            0.0, abs=0.05
        )
        assert alt_km == pytest.approx(point.elevation.km, abs=1.0)
        assert sunlit_frac == pytest.approx(float(place.is_sunlit(ephemeris)), abs=0.02)
        print(
            f"{name} {instant.utc_iso()}: latitude {lat_deg - point.latitude.degrees:+.5f} deg, "
            f"longitude {lon_deg - point.longitude.degrees:+.5f} deg, "
            f"altitude {alt_km - point.elevation.km:+.4f} km, sunlit {sunlit_frac:.2f}"
        )


def test_val_every_satellite_reports_every_ten_seconds(database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = connection.execute(
            "SELECT min(n), max(n), count(*), min(gap), max(gap) FROM (SELECT count(*) n, "
            "(max(time) - min(time)) / (count(*) - 1) gap FROM sat_state GROUP BY sat)"
        ).fetchone()
    assert counts == (3, 3, 10_281, 10e9, 10e9)


def test_the_command_line_names_ten_broken_scenarios_and_exits_78() -> None:
    broken = sorted((ROOT / "tests" / "data" / "broken").glob("*.yaml"))
    assert len(broken) >= 10
    for path in broken:
        if path.stem.endswith("_base"):
            continue
        done = subprocess.run(
            [str(ROOT / ".venv" / "bin" / "twin"), "check", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 78, (path.name, done.stdout, done.stderr)
        assert done.stdout == ""
        for line in done.stderr.splitlines():
            assert line.startswith(("tests/data/broken/", "data/")), (path.name, line)
