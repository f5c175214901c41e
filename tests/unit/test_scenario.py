"""Scenarios that work: extends, overrides, selections, who is left out, and the arrays built."""

import math
from pathlib import Path

import numpy as np
import pytest
from sgp4.exporter import export_tle

from services.scenario_files import list_scenarios, load_and_build, read_text
from twin.constellations import satrecs, walker
from twin.errors import ConfigurationError
from twin.fleet_members import positions_at
from twin.scenario import FleetBuild, Scenario, build_fleet, load_scenario

NOW_UNIX_S = 1_795_219_200.0  # 2026-11-21T00:00:00Z
STARLINKS = "data/starlink-2026-04-30.tle"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


def built(files: dict[str, str], path: str = "s.yaml") -> tuple[Scenario, FleetBuild]:
    def read(name: str) -> str:
        return files[name] if name in files else read_text(name)

    scenario = load_scenario(path, read)
    return scenario, build_fleet(scenario, NOW_UNIX_S, read)


@pytest.mark.parametrize(
    ("name", "count", "report_s"),
    [
        ("flown-2026", 25, 1),
        ("starlink-compute", 10_281, 10),
        ("suncatcher-81", 81, 5),
        ("spacex-ai1", 48, 5),
    ],
)
def test_shipped_scenarios_build_whole(name: str, count: int, report_s: float) -> None:
    scenario, build = load_and_build(name, NOW_UNIX_S)
    fleet = build.fleet
    assert fleet.count == len(build.satrecs) == len(set(fleet.satellite_ids)) == count
    assert build.left_out == ()
    assert (fleet.report_interval_s == report_s).all()
    assert fleet.neighbour_index.shape == (count, 4)
    assert fleet.neighbour_index.max() < count
    epoch = NOW_UNIX_S if scenario.epoch_unix_s is None else scenario.epoch_unix_s
    error, _, _ = positions_at(build.satrecs, epoch)
    assert not error.any()
    for values in vars(fleet.params).values():
        assert len(values) == count
        assert np.isfinite(values.astype(float)).all()


def test_all_shipped_scenarios_are_the_four_above() -> None:
    assert {"flown-2026", "spacex-ai1", "starlink-compute", "suncatcher-81"} <= set(
        list_scenarios()
    )


def test_default_scenario_says_how_old_the_elements_are() -> None:
    _, build = load_and_build("flown-2026", NOW_UNIX_S)
    assert build.warnings == (
        "starcloud_1: elements are up to 118 days from the epoch; "
        "the orbit is right, the place along it is not",
    )
    assert build.fleet.satellite_ids[:3] == ("STARCLOUD_1", "suncatcher", "three_body_01")
    assert build.fleet.vendors[:3] == ("nvidia", "google", "domestic")


def test_links_stay_inside_their_group_and_are_mutual() -> None:
    _, build = load_and_build("flown-2026", NOW_UNIX_S)
    links = build.fleet.neighbour_index
    for row, others in enumerate(links.tolist()):
        for other in (one for one in others if one >= 0):
            assert build.fleet.presets[row] == build.fleet.presets[other]
            assert row in links[other]


def test_a_file_extends_another_and_paths_stay_with_the_file_that_wrote_them() -> None:
    files = {
        "a/base.yaml": "name: base\nseed: 7\nenvironment: {solar_w_m2: 1400, albedo_frac: 0.2}\n"
        "epoch: 2026-07-26T04:00:00Z\nfleet:\n  - id: one\n    preset: starcloud-1\n"
        "    elements: {file: ../data/starcloud-1-2026-07-26.tle}\n",
        "b/top.yaml": "extends: ../a/base.yaml\nname: top\nenvironment: {albedo_frac: 0.4}\n",
    }
    scenario, build = built(files, "b/top.yaml")
    assert (scenario.name, scenario.seed) == ("top", 7)
    assert scenario.environment.solar_w_m2 == 1400.0
    assert scenario.environment.albedo_frac == 0.4
    assert build.fleet.satellite_names == ("STARCLOUD-1",)
    other, _ = built(
        {**files, "a/base.yaml": files["a/base.yaml"].replace("7", "8", 1)}, "b/top.yaml"
    )
    assert other.digest != scenario.digest


def test_operators_units_become_si_and_overrides_win() -> None:
    text = """name: n
fleet:
  - id: a
    preset: starcloud-1
    overrides: {battery_capacity_kwh: 2, array_health_pct: 90, burst_on_min: 20, accelerator: b200}
"""
    _, build = built({"s.yaml": text})
    params = build.fleet.params
    assert params.battery_capacity_j[0] == 2 * 3.6e6
    assert params.array_health_frac[0] == 0.9
    assert params.burst_on_s[0] == 1200.0
    assert params.ground_rate_bit_s[0] == 50e6
    assert params.accel_throttle_k[0] == 87 + 273.15
    assert build.fleet.accelerators == ("b200",)


def test_satellites_are_chosen_by_name_or_number_and_a_missing_one_is_named() -> None:
    text = f"""name: n
epoch: 2026-04-30T12:00:00Z
fleet:
  - id: a
    preset: starlink-hosted-compute
    elements: {{file: {STARLINKS}, select: [44718, starlink-1008]}}
"""
    _, build = built({"s.yaml": text})
    assert build.fleet.satellite_ids == ("STARLINK_1008", "STARLINK_1012")
    with pytest.raises(ConfigurationError) as caught:
        built({"s.yaml": text.replace("44718", "1")})
    assert str(caught.value) == (
        f"s.yaml:6: fleet.0.elements.select: 1 is not in {STARLINKS}; 10281 satellites there"
    )


def test_what_sgp4_cannot_place_is_left_out_by_name() -> None:
    text = f"""name: n
epoch: 2026-05-01T06:00:00Z
fleet:
  - id: a
    preset: starlink-hosted-compute
    elements: {{file: {STARLINKS}}}
"""
    _, build = built({"s.yaml": text})
    assert build.fleet.count == 10_280
    ((name, reason),) = build.left_out
    assert name == "STARLINK-33851"
    assert reason.startswith("SGP4 error 1: mean eccentricity")
    assert "STARLINK_33851" not in build.fleet.satellite_ids


def test_what_is_below_120_km_has_decayed_and_what_is_too_old_is_left_out() -> None:
    low = walker(1, 1, 0, 100e3, math.radians(53.0))
    high = walker(1, 1, 0, 400e3, math.radians(53.0))
    old = walker(1, 1, 0, 500e3, math.radians(53.0))
    lines = []
    for number, (made, age_days) in enumerate([(low, 0), (high, 0), (old, 40)], start=1):
        (satrec,) = satrecs(made, NOW_UNIX_S - age_days * 86_400.0)
        satrec.satnum_str = f"{number:05d}"
        lines += [f"SAT {number}", *export_tle(satrec)]
    text = """name: n
fleet:
  - id: a
    preset: starcloud-1
    elements: {file: e.tle}
"""
    _, build = built({"s.yaml": text, "e.tle": "\n".join(lines)})
    assert build.fleet.satellite_names == ("SAT 2",)
    assert [name for name, _ in build.left_out] == ["SAT 3", "SAT 1"]
    assert build.left_out[0][1] == "elements of 2026-10-12T00:00:00Z are 40.0 days from the epoch"
    assert build.left_out[1][1].startswith("decayed: at ")


def test_one_satellite_in_two_groups_is_refused() -> None:
    group = (
        f"preset: starlink-hosted-compute\n    elements: {{file: {STARLINKS}, select: [44714]}}\n"
    )
    head = "name: n\nepoch: 2026-04-30T12:00:00Z\nfleet:\n"
    text = f"{head}  - id: a\n    {group}  - id: b\n    {group}"
    with pytest.raises(ConfigurationError) as caught:
        built({"s.yaml": text})
    assert str(caught.value) == (
        "s.yaml:7: fleet.1.id: duplicate satellite id STARLINK_1008, already in group 'a'"
    )


def test_generators_are_written_in_the_scenario() -> None:
    text = """name: n
fleet:
  - id: shell
    preset: starlink-v3-shell
    orbit: {walker_star: {planes: 6, per_plane: 11, altitude_km: 780, inclination_deg: 86.4}}
  - id: bare
    preset: three-body-12
    orbit: {train: {count: 3, altitude_km: 500, ltan_h: 10.5, gap_km: 100}}
    overrides: {link_topology: none}
"""
    _, build = built({"s.yaml": text})
    assert build.fleet.count == 69
    assert build.fleet.satellite_ids[0] == "shell_000_000"
    assert build.fleet.planes[11] == "shell_p001"
    assert (build.fleet.neighbour_index[66:] == -1).all()


TENANTS = """
name: shared
epoch: 2026-10-01T00:00:00Z
fleet:
  - {id: ring, preset: three-body-12}
  - {id: iss, preset: hpe-sbc2-iss}
tenants:
  - {name: lab, share_pct: 75, priority: 2, kind: training, only: [ring]}
  - {name: city, share_pct: 25, product: image}
"""


def test_tenants_become_shares_and_groups_of_the_fleet() -> None:
    scenario = load_scenario("s.yaml", lambda _: TENANTS)
    fleet = build_fleet(scenario, 0.0, lambda _: "").fleet
    assert [one.name for one in fleet.tenants.tenants] == ["lab", "city"]
    assert fleet.tenant_share_frac is not None
    assert fleet.tenant_group_index is not None
    assert fleet.tenant_share_frac[0].tolist() == [0.75, 0.25]
    assert fleet.tenant_share_frac[-1].tolist() == [0.0, 1.0]  # the station serves the city alone
    assert len(set(fleet.tenant_group_index[:12, 0].tolist())) == 1
    assert fleet.tenants.by_priority == (0, 1)


@pytest.mark.parametrize(
    ("change", "key", "part"),
    [
        ("only: [ring]", "tenants.0.only", "no group 'rng'"),
        (", only: [ring]", "tenants.0.grouping", "iss has no laser links"),
        ("name: city", "tenants.1.name", "duplicate tenant"),
        ("product: image", "tenants.1.product", "must be"),
        ("share_pct: 25", "tenants.1.share_pct", "above 0 to 100"),
    ],
)
def test_faulty_tenants_are_named(change: str, key: str, part: str) -> None:
    wrong = {
        "only: [ring]": "only: [rng]",
        ", only: [ring]": "",
        "name: city": "name: lab",
        "product: image": "product: poems",
        "share_pct: 25": "share_pct: 0",
    }[change]
    with pytest.raises(ConfigurationError) as caught:
        load_scenario("s.yaml", lambda _: TENANTS.replace(change, wrong))
    found = [one for one in caught.value.problems if part in one.message]
    assert [one.key.replace("[", ".").replace("]", "") for one in found] == [key]
