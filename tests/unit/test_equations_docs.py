"""The equations page: an engineer finds an equation, its units, its source and its error."""

import json
import re
from pathlib import Path

from dashboards.equations_docs import SECTIONS, equations_page, unit_of

ROOT = Path(__file__).parents[2]


def entry(page: str, name: str) -> str:
    return page.split(f"\n### {name}\n", 1)[1].split("\n### ", 1)[0]


def test_the_solar_array_is_found_with_equation_units_validity_and_source() -> None:
    page = equations_page()
    head = page.split("\n## ", 1)[0]
    assert "[`power.array_available_w`](#powerarray_available_w): Power the solar array" in head
    text = entry(page, "power.array_available_w")
    assert "P = P0 (S / S0) cos(theta)" in text.split("```text\n")[1].split("```")[0]
    assert "`solar_flux_w_m2` [W/m2]" in text
    assert "- Validity: 150-400 K" in text
    assert "- Source: Wertz & Larson 1999" in text


def test_every_measured_error_is_on_the_page() -> None:
    page = equations_page()
    stored = json.loads((ROOT / "tests/golden/errors.json").read_text("utf-8"))
    for row in stored["errors"]:
        shown = entry(page, row["function"].removeprefix("twin."))
        assert f"{row['error']:g}" in shown
        assert row["against"] in shown


def test_links_of_the_index_lead_to_entries() -> None:
    page = equations_page()
    anchors = {
        heading.lower().replace(".", "") for heading in re.findall(r"^### (.+)$", page, re.M)
    }
    linked = re.findall(r"^- \[`[^`]+`\]\(#([^)]+)\)", page, re.M)
    assert len(linked) == len(anchors) > 100
    assert set(linked) == anchors


def test_sections_name_modules_that_exist() -> None:
    for _, modules in SECTIONS:
        for module in modules:
            assert (ROOT / "twin" / f"{module}.py").exists(), module


def test_unit_of_a_name_is_its_longest_ending() -> None:
    assert unit_of("solar_flux_w_m2") == "W/m2"
    assert unit_of("heater_power_w") == "W"
    assert unit_of("velocity_teme_m_s") == "m/s"
    assert unit_of("fleet") == ""
