"""Catalogued orbital elements: TLE and OMM text in, SGP4 satellites out. No I/O.

TLE columns follow Hoots and Roehrich, Spacetrack Report No. 3 (1980) and the format page of
CelesTrak (Kelso); OMM follows CCSDS 502.0-B-3 (2023), read by `twin.omm`. Every satellite is
initialised with the WGS72 constants that the elements were fitted with (Vallado et al.,
AIAA 2006-6753). Every problem is reported with its file and line, all of them at once.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from sgp4.api import Satrec

from twin.clock import unix_s
from twin.errors import ConfigurationError, Problem
from twin.omm import FORMATS as OMM_FORMATS
from twin.omm import OmmRecord, detect_omm_format, read_omm

TLE_LENGTH: Final = 69
MAX_PROBLEMS: Final = 50
FORMATS: Final = ("auto", "tle", *OMM_FORMATS)


@dataclass(frozen=True)
class ElementSet:
    """One catalogued satellite: its name, catalogue number, epoch (UTC) and SGP4 record."""

    name: str
    satnum: int
    epoch_unix_s: float
    satrec: Satrec
    line: int  # where it begins in its file


class _Lines(NamedTuple):
    """The two element lines of one satellite and where they stand."""

    name: str
    name_line: int
    first: str
    first_line: int
    second: str
    second_line: int


class _Field(NamedTuple):
    """One column range of an element line (0-based, end excluded) and what may stand there."""

    name: str
    start: int
    end: int
    pattern: str


_NUMBER_FIELDS: Final = {
    "1": (
        _Field("catalogue number", 2, 7, r"[ \dA-HJ-NP-Z][ \d]{3}\d"),
        _Field("epoch year", 18, 20, r"\d\d"),
        _Field("epoch day", 20, 32, r"[ \d]{2}\d\.\d{8}"),
        _Field("first derivative of mean motion", 33, 43, r"[ +-]\.\d{8}"),
        _Field("second derivative of mean motion", 44, 52, r"[ +-][ \d]\d{4}[+-]\d"),
        _Field("BSTAR drag term", 53, 61, r"[ +-][ \d]\d{4}[+-]\d"),
        _Field("element set number", 64, 68, r"[ \d]{3}[ \d]"),
    ),
    "2": (
        _Field("catalogue number", 2, 7, r"[ \dA-HJ-NP-Z][ \d]{3}\d"),
        _Field("inclination", 8, 16, r"[ \d]{2}\d\.\d{4}"),
        _Field("right ascension of the node", 17, 25, r"[ \d]{2}\d\.\d{4}"),
        _Field("eccentricity", 26, 33, r"[ \d]{6}\d"),
        _Field("argument of perigee", 34, 42, r"[ \d]{2}\d\.\d{4}"),
        _Field("mean anomaly", 43, 51, r"[ \d]{2}\d\.\d{4}"),
        _Field("mean motion", 52, 63, r"[ \d]\d\.\d{8}"),
        _Field("revolution number", 63, 68, r"[ \d]{5}"),
    ),
}


def _line_pattern(fields: Sequence[_Field]) -> re.Pattern[str]:
    """One expression for a whole element line: the fields with anything between them."""
    parts, column = [], 0
    for field in fields:
        parts.append(f".{{{field.start - column}}}{field.pattern}")
        column = field.end
    return re.compile("".join(parts) + f".{{{TLE_LENGTH - column}}}")


_LINE_PATTERNS: Final = {key: _line_pattern(fields) for key, fields in _NUMBER_FIELDS.items()}


def parse_elements(text: str, file: str, element_format: str = "auto") -> list[ElementSet]:
    """All satellites of a TLE (2 or 3 lines) or OMM (JSON, XML, KVN, CSV) text, in file order.

    `element_format` is one of FORMATS; "auto" looks at the first characters of the text.
    Raises ConfigurationError with every problem found (the first MAX_PROBLEMS of them), each
    with `file` and line: missing line, wrong length, checksum, bad number, duplicate number.
    """
    if element_format not in FORMATS:
        known = ", ".join(FORMATS)
        raise ConfigurationError(
            [Problem(file, None, "format", f"unknown format {element_format!r}, one of {known}")]
        )
    chosen = detect_omm_format(text) if element_format == "auto" else element_format
    problems: list[Problem] = []
    if chosen == "tle":
        found = _parse_tle(text, file, problems)
    else:
        found = _parse_omm(read_omm(text, file, chosen, problems), file, problems)
    problems.extend(_duplicates(found, file))
    if not found and not problems:
        problems.append(Problem(file, 1, "", "no satellite found in this file"))
    if problems:
        problems.sort(key=lambda problem: problem.line or 0)
        rest = len(problems) - MAX_PROBLEMS
        shown = problems[:MAX_PROBLEMS]
        if rest > 0:
            shown.append(Problem(file, None, "", f"and {rest} more problems"))
        raise ConfigurationError(shown)
    return found


def satellite_id(name: str) -> str:
    """An id `[A-Za-z][A-Za-z0-9_]*` from a catalogue name: STARLINK-1008 -> STARLINK_1008."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return words if words[:1].isalpha() else f"SAT_{words}".rstrip("_")


def satellite_ids(names: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """Ids of many satellites; where two names give one id, both carry their catalogue number."""
    ids = [satellite_id(name) for name in names]
    seen = Counter(ids)
    return tuple(
        one if seen[one] == 1 else f"{one}_{number}"
        for one, number in zip(ids, numbers, strict=True)
    )


def epoch_unix_s(satrec: Satrec) -> float:
    """Epoch of the elements, UTC seconds since 1970 (TLE resolution is 0.9 ms)."""
    return unix_s(float(satrec.jdsatepoch), float(satrec.jdsatepochF))


def _parse_omm(
    records: Iterable[OmmRecord], file: str, problems: list[Problem]
) -> list[ElementSet]:
    found = []
    for record in records:
        satrec = record.satrec(file, problems)
        if satrec is not None:
            name, number = record.name, record.satnum
            found.append(ElementSet(name, number, epoch_unix_s(satrec), satrec, record.line))
    return found


def _parse_tle(text: str, file: str, problems: list[Problem]) -> list[ElementSet]:
    sets = _group_lines(text, file, problems)
    numbered = [(one.first, one.first_line) for one in sets]
    numbered += [(one.second, one.second_line) for one in sets]
    bad = _line_problems(numbered, file)
    found = []
    for one in sets:
        if one.first_line in bad or one.second_line in bad:
            continue
        if one.first[2:7] != one.second[2:7]:
            message = (
                f"catalogue number {one.second[2:7]} does not match {one.first[2:7]} of line 1"
            )
            bad[one.second_line] = Problem(file, one.second_line, "line 2", message)
            continue
        satrec = Satrec.twoline2rv(one.first, one.second)
        name = one.name or f"NORAD {satrec.satnum}"
        found.append(ElementSet(name, satrec.satnum, epoch_unix_s(satrec), satrec, one.name_line))
    problems.extend(bad.values())
    return found


def _group_lines(text: str, file: str, problems: list[Problem]) -> list[_Lines]:
    """Walk the lines once: an optional name, then line 1, then line 2, and again."""
    sets: list[_Lines] = []
    name, name_line = "", 0
    first, first_line = "", 0

    def missing(which: int, line: int) -> None:
        about = f" of {name!r}" if name else ""
        problems.append(Problem(file, line, f"line {which}", f"TLE line {which}{about} is missing"))

    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        start = line[:2]
        if start == "1 ":
            if first:
                missing(2, number)
                name = ""
            first, first_line = line, number
        elif start == "2 ":
            if first:
                begin = name_line if name else first_line
                sets.append(_Lines(name, begin, first, first_line, line, number))
            else:
                missing(1, number)
            name, first = "", ""
        else:
            if first or name:
                missing(2 if first else 1, number)
            name, name_line, first = line.removeprefix("0 ").strip(), number, ""
    if first or name:
        missing(2 if first else 1, len(text.splitlines()))
    return sets


def _line_problems(numbered: Sequence[tuple[str, int]], file: str) -> dict[int, Problem]:
    """The first problem of every bad element line, by line number."""
    bad: dict[int, Problem] = {}
    whole = []
    for line, number in numbered:
        if len(line) != TLE_LENGTH or not line.isascii():
            message = f"{len(line)} characters long, must be {TLE_LENGTH} ASCII characters"
            bad[number] = Problem(file, number, f"line {line[0]}", message)
        else:
            whole.append((line, number))
    if not whole:
        return bad
    expected = _checksums([line for line, _ in whole])
    for (line, number), checksum in zip(whole, expected.tolist(), strict=True):
        message = ""
        if line[-1] != str(checksum):
            message = f"bad checksum: expected {checksum}, found {line[-1]!r}"
        elif not _LINE_PATTERNS[line[0]].fullmatch(line):
            message = _bad_number(line)
        if message:
            bad[number] = Problem(file, number, f"line {line[0]}", message)
    return bad


def _checksums(lines: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Checksum of each 69-character line, (n,): digits plus one per minus sign, modulo 10."""
    codes = np.frombuffer("".join(lines).encode("ascii"), dtype=np.uint8)
    body = codes.reshape(len(lines), TLE_LENGTH)[:, : TLE_LENGTH - 1].astype(np.int64)
    digits = np.where((body >= ord("0")) & (body <= ord("9")), body - ord("0"), 0)
    total: np.ndarray[tuple[int], np.dtype[np.int64]] = (digits + (body == ord("-"))).sum(axis=1)
    return total % 10


def _bad_number(line: str) -> str:
    for field in _NUMBER_FIELDS[line[0]]:
        value = line[field.start : field.end]
        if not re.fullmatch(field.pattern, value):
            return (
                f"{field.name} (columns {field.start + 1}-{field.end}) is not a number: {value!r}"
            )
    return "columns are not those of a TLE"


def _duplicates(found: Sequence[ElementSet], file: str) -> list[Problem]:
    first: dict[int, int] = {}
    problems = []
    for one in found:
        before = first.setdefault(one.satnum, one.line)
        if before != one.line:
            message = f"catalogue number {one.satnum} appears twice, first at line {before}"
            problems.append(Problem(file, one.line, one.name, message))
    return problems
