"""The equations page: an engineer finds an equation, its units, its source and its error."""

import json
import re
from pathlib import Path

import pytest

from dashboards import equations_docs
from dashboards.equations_docs import (
    SECTIONS,
    EquationError,
    equations_of,
    equations_page,
    unit_of,
)

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


GOOD = """def heat_w(area_m2: FloatArray, level: float) -> FloatArray:
    \"\"\"Heat [W], (n,): `level` [1] times the area.

    Validity: all. Source: Stefan 1879, Sitzungsber. 79, 391.
    \"\"\"
"""


def test_an_equation_with_units_validity_and_source_lacks_nothing() -> None:
    (found,) = equations_of("x", GOOD)
    assert found.lacking == []
    assert found.inputs == [("area_m2", "m2"), ("level", "1")]


@pytest.mark.parametrize(
    ("cut", "put", "said"),
    [
        ("Validity: all. ", "", "no validity"),
        ("Source: Stefan 1879, Sitzungsber. 79, 391.", "", "no source"),
        ("Stefan 1879, Sitzungsber. 79, 391", "physics.md 4.2, 2026", "cannot be looked up"),
        ("Stefan 1879, Sitzungsber. 79, 391", "a good book", "cannot be looked up"),
        ("`level` [1]", "the level", "no unit of level"),
        ("heat_w", "heat", ""),
        ("heat_w(area_m2: FloatArray, level: float)", "heat(area_m2: FloatArray)", ""),
    ],
)
def test_an_equation_that_lacks_something_is_named(cut: str, put: str, said: str) -> None:
    (found,) = equations_of("x", GOOD.replace(cut, put))
    assert [said in line for line in found.lacking] == ([True] if said else [])


def test_a_result_without_a_unit_is_named() -> None:
    text = GOOD.replace("heat_w", "heat").replace("Heat [W]", "Heat").replace("`level` [1]", "it")
    (found,) = equations_of("x", text)
    assert any("no unit of the result" in line for line in found.lacking)


def test_generation_fails_for_an_unsourced_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = GOOD.replace("Source: Stefan 1879, Sitzungsber. 79, 391.", "")
    monkeypatch.setattr(
        equations_docs, "module_equations", lambda module: equations_of(module, bare)
    )
    with pytest.raises(EquationError, match=r"twin/clock\.py: heat_w: no source"):
        equations_page()


def test_what_keeps_books_is_not_on_the_page() -> None:
    text = 'def ids(area_m2: FloatArray) -> IntArray:\n    """Numbers of those above 0."""\n'
    assert list(equations_of("x", text)) == []
    assert list(equations_of("x", text.replace("above 0.", "above 0.\n\n    y = a x.\n    "))) != []


def test_no_module_with_sources_is_left_out() -> None:
    listed = {module for _, modules in SECTIONS for module in modules}
    sourced = {
        path.stem
        for path in (ROOT / "twin").glob("*.py")
        if re.search(r"(?m)^    (Validity|.*\bSource): ", path.read_text("utf-8"))
    }
    assert sourced - listed == set()
