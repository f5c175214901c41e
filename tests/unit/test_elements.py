"""Element files: what is read, and what is said of a faulty one."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.elements import MAX_PROBLEMS, parse_elements, satellite_id, satellite_ids
from twin.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
STARCLOUD = (ROOT / "data/starcloud-1-2026-07-26.tle").read_text()
NAME, FIRST, SECOND = STARCLOUD.splitlines()
OMM_FOLDER = ROOT / "tests/data/elements"
STARLINKS = (ROOT / "data/starlink-2026-04-30.tle").read_text()


def problems(text: str, element_format: str = "auto") -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse_elements(text, "f.tle", element_format)
    return [str(problem) for problem in caught.value.problems]


def test_all_catalogued_starlinks_are_read_in_file_order() -> None:
    found = parse_elements(STARLINKS, "f.tle")
    assert len(found) == len({one.satnum for one in found}) == 10_281
    first = found[0]
    assert (first.name, first.satnum, first.line) == ("STARLINK-1008", 44714, 1)
    assert found[-1].line == 3 * 10_280 + 1


def test_two_line_sets_need_no_name_and_keep_comments_and_blank_lines_out() -> None:
    (one,) = parse_elements(f"# comment\n\n{FIRST}\n{SECOND}\n", "f.tle")
    assert (one.name, one.line) == ("NORAD 66303", 3)
    (named,) = parse_elements(f"0 {NAME}\r\n{FIRST}\r\n{SECOND}\r\n", "f.tle")
    assert named.name == "STARCLOUD-1"


def test_epoch_is_that_of_the_day_number() -> None:
    (one,) = parse_elements(STARCLOUD, "f.tle")
    # day 207.16029198 of 2026: 2026-01-01T00:00:00Z is 1767225600
    assert one.epoch_unix_s == pytest.approx(1_767_225_600 + 206.16029198 * 86_400, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{NAME}\n{FIRST}\n", "f.tle:2: line 2: TLE line 2 of 'STARCLOUD-1' is missing"),
        (f"{NAME}\n{SECOND}\n", "f.tle:2: line 1: TLE line 1 of 'STARCLOUD-1' is missing"),
        (f"{FIRST}\n{FIRST}\n{SECOND}\n", "f.tle:2: line 2: TLE line 2 is missing"),
        (f"A\nB\n{FIRST}\n{SECOND}\n", "f.tle:2: line 1: TLE line 1 of 'A' is missing"),
        (f"{FIRST[:-1]}7\n{SECOND}\n", "f.tle:1: line 1: bad checksum: expected 1, found '7'"),
        (f"{FIRST}\n{SECOND[:-1]}x\n", "f.tle:2: line 2: bad checksum: expected 7, found 'x'"),
        (
            f"{FIRST}\n{SECOND[:-2]}\n",
            "f.tle:2: line 2: 67 characters long, must be 69 ASCII characters",
        ),
        (
            # letters count as nothing in a checksum, so 3 -> x needs the sum lowered by 3
            f"{FIRST}\n{SECOND.replace('45.3997', '45.x997')[:-1]}4\n",
            "f.tle:2: line 2: inclination (columns 9-16) is not a number: ' 45.x997'",
        ),
        (
            f"{FIRST}\n{SECOND.replace('66303', '66304')[:-1]}8\n",
            "f.tle:2: line 2: catalogue number 66304 does not match 66303 of line 1",
        ),
        (
            STARCLOUD * 2,
            "f.tle:4: STARCLOUD-1: catalogue number 66303 appears twice, first at line 1",
        ),
        ("", "f.tle:1: no satellite found in this file"),
    ],
)
def test_a_faulty_tle_gives_one_located_line(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_all_faults_are_reported_at_once_up_to_a_limit() -> None:
    text = f"{FIRST[:-1]}7\n{SECOND}\nX\n{FIRST}\n{SECOND[:-1]}0\nY\n"
    assert [line.split(": ")[0] for line in problems(text)] == ["f.tle:1", "f.tle:5", "f.tle:6"]
    many = problems("".join(f"{FIRST[:-1]}7\n{SECOND}\n" for _ in range(200)))
    assert len(many) == MAX_PROBLEMS + 1
    assert many[-1] == "f.tle: and 150 more problems"


@given(column=st.integers(2, 67), shift=st.integers(1, 9), second=st.booleans())
@settings(max_examples=200, deadline=None)
def test_law_any_changed_digit_is_found_on_its_line(column: int, shift: int, second: bool) -> None:
    lines = [FIRST, SECOND]
    line = lines[second]
    if not line[column].isdigit():
        return
    digit = str((int(line[column]) + shift) % 10)
    lines[second] = line[:column] + digit + line[column + 1 :]
    (found,) = problems("\n".join(lines))
    assert found.startswith(f"f.tle:{2 if second else 1}: line {2 if second else 1}: bad checksum")


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_law_no_text_ends_in_anything_but_located_problems(text: str) -> None:
    assert all(line.startswith("f.tle") for line in problems(text))


@given(st.text())
def test_law_every_name_gives_a_legal_id(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", satellite_id(name))


def test_ids_follow_the_catalogue_name_and_stay_distinct() -> None:
    assert satellite_id("STARLINK-1008           ") == "STARLINK_1008"
    assert satellite_id("ISS (ZARYA)") == "ISS_ZARYA"
    assert satellite_id("2025-248L") == "SAT_2025_248L"
    assert satellite_ids(["A-1", "A 1", "B"], [7, 8, 9]) == ("A_1_7", "A_1_8", "B")


@pytest.mark.parametrize("suffix", ["json", "xml", "kvn", "csv"])
def test_a_bad_value_of_an_omm_is_located(suffix: str) -> None:
    text = (OMM_FOLDER / f"starcloud-1.{suffix}").read_text()
    line = next(n for n, t in enumerate(text.splitlines(), 1) if "45.3997" in t)
    (found,) = problems(text.replace("45.3997", "245.3997"))
    assert found == (f"f.tle:{line}: INCLINATION: '245.3997' is not allowed: degrees, 0 to 180")


@pytest.mark.parametrize(
    ("element_format", "text", "expected"),
    [
        ("omm-json", '[{"OBJECT_NAME": 1,]', "f.tle:1: not JSON: "),
        ("omm-json", "[\n3]", "f.tle:2: an OMM in JSON is an object per satellite"),
        ("omm-json", '[{"A": ' + "[" * 100_000, "f.tle:1: nested too deeply"),
        ("omm-xml", "<ndm>\n<omm>", "f.tle:2: not XML: "),
        ("omm-xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "f.tle:1: not XML: document type"),
        ("omm-kvn", "CCSDS_OMM_VERS = 3.0\nnonsense\n", "f.tle:2: not KEY = VALUE"),
        ("omm-csv", "MEAN_MOTION,EPOCH\n1\n", "f.tle:2: 1 columns, the header has 2"),
        ("tsv", "", "f.tle: format: unknown format 'tsv', one of auto, tle, omm-json"),
    ],
)
def test_broken_syntax_is_located(element_format: str, text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in problems(text, element_format))


def test_an_omm_may_leave_out_what_a_tle_would_pad_and_carry_nine_digits() -> None:
    text = (OMM_FOLDER / "starcloud-1.kvn").read_text().replace("66303", "799500123")
    kept = [t for t in text.splitlines() if not t.startswith(("REV_AT", "ELEMENT_SET", "OBJECT_"))]
    (one,) = parse_elements("\n".join(kept), "f.kvn")
    assert (one.satnum, one.name) == (799_500_123, "NORAD 799500123")


def test_several_omm_messages_in_one_file() -> None:
    kvn = (OMM_FOLDER / "starcloud-1.kvn").read_text()
    both = parse_elements(kvn + kvn.replace("66303", "66304"), "f.kvn")
    assert [one.satnum for one in both] == [66303, 66304]
    assert both[1].line == len(kvn.splitlines()) + 1


def test_another_frame_or_theory_is_refused() -> None:
    kvn = (OMM_FOLDER / "starcloud-1.kvn").read_text()
    assert problems(kvn.replace("TEME", "GCRF").replace("SGP4", "DSST")) == [
        "f.tle:9: REF_FRAME: 'GCRF' is not allowed: only TEME",
        "f.tle:11: MEAN_ELEMENT_THEORY: 'DSST' is not allowed: only SGP4",
    ]
