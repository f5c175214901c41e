"""OMM against TLE of the same satellite, and against the exporter of the sgp4 library."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from sgp4.api import SatrecArray
from sgp4.exporter import export_omm

from twin.elements import ElementSet, parse_elements

ROOT = Path(__file__).parents[2]
TLE = (ROOT / "data/starcloud-1-2026-07-26.tle").read_text()
STARLINKS = (ROOT / "data/starlink-2026-04-30.tle").read_text()
HOURS = np.arange(0.0, 48.0, 1.7) / 24.0


def positions_km(found: list[ElementSet]) -> np.ndarray:
    whole = np.full(HOURS.shape, 2_461_247.5)
    error, position_km, _ = SatrecArray([one.satrec for one in found]).sgp4(whole, HOURS)
    assert not error.any()
    return position_km


@pytest.mark.parametrize("suffix", ["json", "xml", "kvn", "csv"])
def test_val_omm_and_tle_of_one_satellite_fly_the_same_orbit(suffix: str) -> None:
    text = (ROOT / f"tests/data/elements/starcloud-1.{suffix}").read_text()
    omm, tle = parse_elements(text, f"f.{suffix}"), parse_elements(TLE, "f.tle")
    assert [(one.name, one.satnum) for one in omm] == [(one.name, one.satnum) for one in tle]
    assert omm[0].epoch_unix_s == pytest.approx(tle[0].epoch_unix_s, abs=1e-5)
    # the epoch of an OMM has microseconds: 7.6 km/s times 1 us is below a centimetre
    assert np.abs(positions_km(omm) - positions_km(tle)).max() < 2e-5


def test_val_hundred_starlinks_survive_export_by_the_sgp4_library() -> None:
    tle = parse_elements("\n".join(STARLINKS.splitlines()[:300]), "f.tle")
    rows = [export_omm(one.satrec, one.name) for one in tle]
    from_json = parse_elements(json.dumps(rows), "f.json")
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    from_csv = parse_elements(table.getvalue(), "f.csv")
    assert [one.name for one in from_json] == [one.name for one in tle]
    for found in (from_json, from_csv):
        for one, reference in zip(found, tle, strict=True):
            for field in ("inclo", "nodeo", "ecco", "argpo", "mo", "no_kozai", "bstar"):
                ours, theirs = getattr(one.satrec, field), getattr(reference.satrec, field)
                assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), field
            assert one.epoch_unix_s == pytest.approx(reference.epoch_unix_s, abs=1e-4)
