"""Orbit Mean-Elements Messages as CelesTrak serves them: JSON, XML, KVN and CSV.

Reads CCSDS 502.0-B-3 (2023) keywords; a record keeps the line each value came from, so that an
error can point at it. Fields that a TLE would carry and a message may omit take the values that
CelesTrak gives them (EPHEMERIS_TYPE 0, CLASSIFICATION_TYPE U, the rest 0).
"""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.parsers import expat

from sgp4 import omm
from sgp4.api import Satrec

from twin.errors import Problem

FORMATS: Final = ("omm-json", "omm-xml", "omm-kvn", "omm-csv")
MAX_ALPHA5_SATNUM: Final = 339_999
"""Largest number the SGP4 record holds; larger ones live in `ElementSet.satnum` only."""

_RANGES: Final = {
    "MEAN_MOTION": (0.0, 18.0, "rev/day, above 0 and at most 18"),
    "ECCENTRICITY": (-1e-12, 1.0 - 1e-9, "from 0 to below 1"),
    "INCLINATION": (-1e-9, 180.0, "degrees, 0 to 180"),
    "RA_OF_ASC_NODE": (-360.0, 360.0, "degrees, -360 to 360"),
    "ARG_OF_PERICENTER": (-360.0, 360.0, "degrees, -360 to 360"),
    "MEAN_ANOMALY": (-360.0, 360.0, "degrees, -360 to 360"),
    "BSTAR": (-10.0, 10.0, "1/earth radii, -10 to 10"),
    "MEAN_MOTION_DOT": (-10.0, 10.0, "rev/day^2, -10 to 10"),
    "MEAN_MOTION_DDOT": (-10.0, 10.0, "rev/day^3, -10 to 10"),
    "NORAD_CAT_ID": (0.0, 999_999_999.0, "a whole number from 1 to 999999999"),
}
"""Allowed range of each number: above the first, up to the second."""

_DEFAULTS: Final = {
    "OBJECT_ID": "",
    "CLASSIFICATION_TYPE": "U",
    "EPHEMERIS_TYPE": "0",
    "ELEMENT_SET_NO": "0",
    "REV_AT_EPOCH": "0",
    "BSTAR": "0",
    "MEAN_MOTION_DOT": "0",
    "MEAN_MOTION_DDOT": "0",
}
_FIXED: Final = {"CENTER_NAME": "EARTH", "REF_FRAME": "TEME", "TIME_SYSTEM": "UTC"}
_THEORIES: Final = ("SGP4", "SGP/SGP4")


@dataclass(frozen=True)
class OmmRecord:
    """One message as text: value and line by keyword."""

    fields: dict[str, tuple[str, int]]
    line: int

    @property
    def name(self) -> str:
        """OBJECT_NAME, or the catalogue number in words where there is none."""
        name = self.fields.get("OBJECT_NAME", ("", 0))[0].strip()
        return name or f"NORAD {self.satnum}"

    @property
    def satnum(self) -> int:
        """NORAD_CAT_ID; call it on a record that `satrec` accepted."""
        return int(self.fields["NORAD_CAT_ID"][0])

    def satrec(self, file: str, problems: list[Problem]) -> Satrec | None:
        """The SGP4 record (WGS72), or None after appending what is wrong to `problems`."""
        values = {key: value.strip() for key, (value, _) in self.fields.items() if value.strip()}
        values = _DEFAULTS | values
        before = len(problems)
        for key, message in _field_problems(values):
            line = self.fields.get(key, ("", self.line))[1]
            problems.append(Problem(file, line, key, message))
        if len(problems) > before:
            return None
        values["EPOCH"] = _epoch(values["EPOCH"]).strftime("%Y-%m-%dT%H:%M:%S.%f")
        for key in ("EPHEMERIS_TYPE", "ELEMENT_SET_NO", "REV_AT_EPOCH"):
            values[key] = str(int(float(values[key])))
        if int(values["NORAD_CAT_ID"]) > MAX_ALPHA5_SATNUM:
            values["NORAD_CAT_ID"] = "0"
        satrec = Satrec()
        omm.initialize(satrec, values)
        return satrec


def detect_omm_format(text: str) -> str:
    """One of FORMATS, or "tle" where the text begins like none of them."""
    start = text.lstrip("\ufeff \t\r\n")[:400]
    if start[:1] in ("[", "{"):
        return "omm-json"
    if start[:1] == "<":
        return "omm-xml"
    if start.startswith(("CCSDS_OMM_VERS", "COMMENT")):
        return "omm-kvn"
    first = start.splitlines()[0] if start else ""
    return "omm-csv" if "MEAN_MOTION" in first.split(",") else "tle"


def read_omm(text: str, file: str, omm_format: str, problems: list[Problem]) -> Iterator[OmmRecord]:
    """Records of an OMM text in one of FORMATS; syntax errors go to `problems`."""
    readers = {"omm-json": _json, "omm-xml": _xml, "omm-kvn": _kvn, "omm-csv": _csv}
    return readers[omm_format](text.lstrip("\ufeff"), file, problems)


def _epoch(value: str) -> datetime:
    return datetime.fromisoformat(value.removesuffix("Z"))


def _field_problems(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key, (low, high, meaning) in _RANGES.items():
        if key not in values:
            yield key, f"{key} is missing"
            continue
        try:
            number = float(values[key])
        except ValueError:
            number = math.nan
        if not low < number <= high or (key == "NORAD_CAT_ID" and not values[key].isdecimal()):
            yield key, f"{values[key]!r} is not allowed: {meaning}"
    for key in ("EPHEMERIS_TYPE", "ELEMENT_SET_NO", "REV_AT_EPOCH"):
        if not values[key].removesuffix(".0").isdecimal():
            yield key, f"{values[key]!r} is not allowed: a whole number"
    try:
        _epoch(values["EPOCH"])
    except KeyError:
        yield "EPOCH", "EPOCH is missing"
    except ValueError:
        yield "EPOCH", f"{values['EPOCH']!r} is not a date such as 2026-04-30T12:00:00.000000"
    for key, only in _FIXED.items():
        if values.get(key, only) != only:
            yield key, f"{values[key]!r} is not allowed: only {only}"
    theory = values.get("MEAN_ELEMENT_THEORY", "SGP4")
    if theory not in _THEORIES:
        yield "MEAN_ELEMENT_THEORY", f"{theory!r} is not allowed: only SGP4"


def _json(text: str, file: str, problems: list[Problem]) -> Iterator[OmmRecord]:
    """Objects one by one, so that each keeps its line; every key's line is searched in it."""
    decoder = json.JSONDecoder()
    single = text.lstrip().startswith("{")
    offset = len(text) - len(text.lstrip()) + (0 if single else 1)
    line, counted = 1, 0
    while True:
        while offset < len(text) and text[offset] in " \t\r\n,":
            offset += 1
        line, counted = line + text.count("\n", counted, offset), offset
        if offset >= len(text) or text[offset] == "]":
            if offset >= len(text) and not single:
                problems.append(Problem(file, line, "", "not JSON: the list is never closed"))
            return
        try:
            item, end = decoder.raw_decode(text, offset)
        except RecursionError:
            problems.append(Problem(file, line, "", "nested too deeply for an OMM"))
            return
        except json.JSONDecodeError as error:
            message = f"not JSON: {error.msg} at column {error.colno}"
            problems.append(Problem(file, error.lineno, "", message))
            return
        if not isinstance(item, dict):
            problems.append(Problem(file, line, "", "an OMM in JSON is an object per satellite"))
            return
        yield OmmRecord(_json_fields(text, offset, end, line, item), line)
        offset = end


def _json_fields(
    text: str, start: int, end: int, line: int, item: dict[str, object]
) -> dict[str, tuple[str, int]]:
    fields = {}
    for key, value in item.items():
        at = text.find(f'"{key}"', start, end)
        fields[key] = (
            "" if value is None else str(value),
            line + text.count("\n", start, max(at, start)),
        )
    return fields


def _xml(text: str, file: str, problems: list[Problem]) -> Iterator[OmmRecord]:
    """Leaf elements of every <segment>, by expat events; declarations of entities are refused."""
    records: list[OmmRecord] = []
    fields: dict[str, tuple[str, int]] = {}
    text_parts: list[str] = []
    begin = 1
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError("document type declarations are not allowed")

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal fields, begin
        text_parts.clear()
        if tag == "segment":
            fields, begin = {}, parser.CurrentLineNumber

    def end(tag: str) -> None:
        if tag == "segment":
            records.append(OmmRecord(fields, begin))
        value = "".join(text_parts).strip()
        if value:
            fields[tag] = (value, parser.CurrentLineNumber)
        text_parts.clear()

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text_parts.append
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, ValueError) as error:
        problems.append(Problem(file, parser.CurrentLineNumber, "", f"not XML: {error}"))
    return iter(records)


def _kvn(text: str, file: str, problems: list[Problem]) -> Iterator[OmmRecord]:
    """KEY = VALUE lines; a message begins at CCSDS_OMM_VERS, units in brackets are dropped."""
    fields: dict[str, tuple[str, int]] = {}
    begin = 1
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("COMMENT"):
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            problems.append(Problem(file, number, "", f"not KEY = VALUE: {line[:40]!r}"))
            continue
        if key == "CCSDS_OMM_VERS":
            if fields:
                yield OmmRecord(fields, begin)
            fields, begin = {}, number
        if value.endswith("]"):
            value = value[: value.rfind("[")].strip()
        fields[key] = (value, number)
    if fields:
        yield OmmRecord(fields, begin)


def _csv(text: str, file: str, problems: list[Problem]) -> Iterator[OmmRecord]:
    rows = csv.reader(io.StringIO(text))
    header = next(rows, [])
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            message = f"{len(row)} columns, the header has {len(header)}"
            problems.append(Problem(file, rows.line_num, "", message))
            continue
        fields = {key: (value, rows.line_num) for key, value in zip(header, row, strict=True)}
        yield OmmRecord(fields, rows.line_num)
