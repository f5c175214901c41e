"""Broken scenario files: one clear line per fault, with file, line, key and what is allowed."""

from pathlib import Path

import pytest

from services.scenario_files import find_scenario, load_and_build, read_text
from twin.errors import ConfigurationError
from twin.preset_library import list_presets
from twin.scenario import load_scenario

BROKEN = "tests/data/broken"
NOW_UNIX_S = 1_795_219_200.0  # 2026-11-21T00:00:00Z
PRESETS = ", ".join(list_presets())
EXPECTED = {
    "unknown_key": [
        f"{BROKEN}/unknown_key.yaml:3: sed: unknown key; did you mean 'seed'? "
        "allowed: description, environment, epoch, extends, faults, fleet, name, playback, seed, "
        "step_s, tenants",
        f"{BROKEN}/unknown_key.yaml:7: fleet.0.report_intervall_s: unknown key; did you mean "
        "'report_interval_s'? allowed: channels, elements, id, orbit, overrides, preset, "
        "report_interval_s, site",
    ],
    "wrong_type": [
        f"{BROKEN}/wrong_type.yaml:3: seed: must be a valid integer, got 'many'; "
        "allowed 0 to 9,007,199,254,740,992",
        f"{BROKEN}/wrong_type.yaml:8: fleet.0.overrides.accel_count: must be a valid integer, "
        "got 1.5; allowed 0 to 100,000",
    ],
    "negative_area": [
        f"{BROKEN}/negative_area.yaml:8: fleet.0.overrides.radiator_area_m2: -0.9 is out of "
        "range; allowed above 0 to 100,000,000",
    ],
    "missing_line": [
        f"{BROKEN}/missing_line.tle:6: line 2: TLE line 2 of 'STARLINK-1012' is missing",
    ],
    "bad_checksum": [
        f"{BROKEN}/bad_checksum.tle:6: line 2: bad checksum: expected 2, found '0'",
    ],
    "duplicate_id": [
        f"{BROKEN}/duplicate_id.yaml:8: fleet.2.id: duplicate id 'twin', first at line 4; "
        "ids must differ",
    ],
    "unknown_preset": [
        f"{BROKEN}/unknown_preset.yaml:5: fleet.0.preset: unknown preset 'starcloud1'; "
        f"did you mean 'starcloud-1'? allowed: {PRESETS}",
    ],
    "epoch_out_of_validity": [
        f"{BROKEN}/epoch_out_of_validity.yaml:8: fleet.0.elements.max_age_days: epoch "
        "2028-01-01T00:00:00Z is 523.8 days from the nearest elements, 2026-07-26T03:50:49Z "
        "(STARCLOUD-1, ../../../data/starcloud-1-2026-07-26.tle); allowed 0 to 30 days",
    ],
    "cyclic_extends": [
        f"{BROKEN}/cyclic_middle.yaml:2: extends: cycle: {BROKEN}/cyclic_extends.yaml -> "
        f"{BROKEN}/cyclic_middle.yaml -> {BROKEN}/cyclic_extends.yaml",
    ],
    "space_weather": [
        f"{BROKEN}/space_weather.yaml:{line}: environment.{problem}"
        for line, problem in (
            (4, "shadow: must be 'oblate' or 'spherical', got 'round'"),
            (6, "space_weather.solar_cycle: must be 'min' or 'max', got 'maximum'"),
            (7, "space_weather.phi_mv: 5 is out of range; allowed 100 to 2,000"),
            (
                8,
                "space_weather.cycle: unknown key; did you mean 'solar_cycle'? allowed: "
                "cutoff_lowering, density_frac, events, phi_mv, solar_cycle",
            ),
            (
                10,
                "space_weather.events.0.level: 'S3' is not a level of storm; "
                "allowed: G1, G2, G3, G4, G5",
            ),
            (
                11,
                "space_weather.events.1.kind: unknown kind 'flare'; allowed: spe, storm",
            ),
            (12, "space_weather.events.2.duration_h: 0 is out of range; allowed above 0 to 720"),
            (13, "space_weather.events.3.duration_h: this key is required"),
            (
                13,
                "space_weather.events.3.level: 'S9' is not a level of spe; "
                "allowed: S1, S2, S3, S4, S5",
            ),
        )
    ],
    "not_yaml": [f"{BROKEN}/not_yaml.yaml:3: not YAML: did not find expected ',' or ']'"],
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])


def lines_of(text: str) -> list[str]:
    """Problems of one scenario text; the catalogue files of the repository are beside it."""

    def read(path: str) -> str:
        return text if path == "s.yaml" else read_text(path)

    with pytest.raises(ConfigurationError) as caught:
        load_scenario("s.yaml", read)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_broken_file_gives_one_clear_line_per_fault(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_and_build(f"{BROKEN}/{name}.yaml", NOW_UNIX_S)
    assert [str(problem) for problem in caught.value.problems] == EXPECTED[name]
    assert caught.value.exit_code == 78


def test_faults_of_every_kind_are_reported_together() -> None:
    text = """name: 9bad
epoch: tomorrow
step_s: 0
environment: {albedo_frac: 3}
fleet:
  - id: a
    preset: starcloud-1
    orbit: {sso_ring: {count: 0, altitude_km: 50, ltan_h: 6, gap: 1}}
  - id: b
    preset: suncatcher-81
    overrides: {radiatr_area_m2: 5, accelerator: h101, mass_kg: heavy}
"""
    found = lines_of(text)
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in found] == [
        "s.yaml:1: name",
        "s.yaml:2: epoch",
        "s.yaml:3: step_s",
        "s.yaml:4: environment.albedo_frac",
        "s.yaml:8: fleet.0.orbit.sso_ring.altitude_km",
        "s.yaml:8: fleet.0.orbit.sso_ring.count",
        "s.yaml:8: fleet.0.orbit.sso_ring.gap",
        "s.yaml:11: fleet.1.overrides.accelerator",
        "s.yaml:11: fleet.1.overrides.mass_kg",
        "s.yaml:11: fleet.1.overrides.radiatr_area_m2",
    ]
    assert "must be a valid number, got 'heavy'; allowed above 0 to 1,000,000" in found[8]
    assert "50 is out of range; allowed 200 to 5,900" in found[4]
    assert "unknown accelerator 'h101'; did you mean 'h100'?" in found[7]
    assert "did you mean 'radiator_area_m2'?" in found[9]


HEAD = "name: n\nfleet:\n  - id: a\n    preset: starcloud-1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: &a n\nfleet: *a\n", "s.yaml:1: YAML anchors and aliases are not allowed"),
        ("name: n\nname: m\n", "s.yaml:2: name: key appears twice, first at line 1"),
        ("[1, 2]", "s.yaml:1: must be a mapping of keys to values at the top"),
        ("", "s.yaml:1: must be a mapping of keys to values at the top"),
        ("name: !!python/none x\n", "s.yaml:1: name: YAML tag tag:yaml.org,2002:python/none"),
        ("a: " + "[" * 60 + "]" * 60, "s.yaml:1: nested deeper than the 24 levels allowed"),
        ("x: " + "a" * 5_000_000, "s.yaml: 4882 KiB long, allowed at most 4096 KiB"),
        (
            HEAD + "    elements: {file: x}\n    orbit: {}\n",
            "s.yaml:6: fleet.0.orbit: give exactly",
        ),
        (
            HEAD + "    report_interval_s: 2.5\n",
            "s.yaml:5: fleet.0.report_interval_s: 2.5 is not a",
        ),
        (
            HEAD + "epoch: 2026-04-30T12:00:00\n",
            "s.yaml:5: epoch: '2026-04-30T12:00:00' does not say",
        ),
        (HEAD + "seed: .inf\n", "s.yaml:5: seed: must be a valid integer, got inf"),
        (HEAD + "extends: 5\n", "s.yaml:5: extends: must be a file name, got 5"),
        (HEAD + "extends: no.yaml\n", "no.yaml: cannot be read: No such file or directory"),
        (
            HEAD + "    overrides: {burst_on_min: 50}\n",
            "s.yaml:5: fleet.0.overrides: burst_on_min 50 is longer than burst_period_min 40",
        ),
        (
            HEAD + "    orbit: {ring: {count: 1, altitude_km: 1e5, inclination_deg: 9}}\n",
            "s.yaml:5: fleet.0.orbit.ring.altitude_km: 100000.0 is out of range; allowed 200 to 50",
        ),
        (HEAD.replace("a\n", "9a\n", 1), "s.yaml:3: fleet.0.id: String must match pattern"),
        ("name: n\n", "s.yaml:1: fleet: this key is required"),
    ],
)
def test_each_trap_has_its_line(text: str, expected: str) -> None:
    found = lines_of(text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_an_unknown_scenario_lists_what_there_is() -> None:
    with pytest.raises(
        ConfigurationError, match=r"flown: no such scenario; in scenarios: .*flown-2026"
    ):
        find_scenario("flown")
    assert find_scenario("flown-2026") == "scenarios/flown-2026.yaml"
    assert find_scenario("scenarios/flown-2026.yaml") == "scenarios/flown-2026.yaml"


def test_files_are_read_with_a_cap_and_as_text(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ValueError, match="larger than the 4096 KiB allowed"):
        read_text(str(large))
    binary = tmp_path / "binary.tle"
    binary.write_bytes(b"ab\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8 text at byte 2"):
        read_text(str(binary))
