"""docs/equations.md: the physics of the twin as a page, from its own docstrings.

A docstring is cut into sentences; each goes under equation, validity, source, stated error or
notes by what it says. Measured errors come from tests/golden/errors.json, units from names.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent

SECTIONS: Final = (
    ("Time", ("clock",)),
    ("Orbit and place", ("orbit", "geometry", "sun", "constellations", "mean_elements", "lunar")),
    ("Sunlight, shadow and the Earth's warmth", ("eclipse", "environment")),
    ("Drag and space weather", ("drag", "space_weather")),
    ("Particles", ("trapped", "cosmic_rays", "solar_particles", "shielding", "radiation")),
    ("Electrical power: array, bus, modes", ("power", "power_ahead", "attitude")),
    ("Battery", ("battery", "battery_ageing", "ageing")),
    ("Heat", ("thermal", "heat_network", "coolant")),
    ("Workload", ("workload", "upsets")),
    ("Links and delay", ("network", "latency")),
    ("Sizing", ("sizing", "fleet_params")),
    ("Economics", ("economics",)),
)

UNITS: Final = {
    "w_m2_k4": "W/(m2 K4)", "w_k4": "W/K4", "w_m2": "W/m2", "w_k": "W/K", "k_w": "K/W",
    "j_k_m2": "J/(m2 K)", "j_kg_k": "J/(kg K)", "j_k_kg": "J/(kg K)", "j_k_wh": "J/(K Wh)",
    "j_k_w": "J/(K W)", "j_k": "J/K", "m_s2": "m/s2", "m3_s2": "m3/s2", "m_s": "m/s",
    "m_day": "m/day", "rad_s": "rad/s", "rad_cm2": "rad cm2", "rad_year": "rad/yr",
    "cm2_s": "1/(cm2 s)", "cm2_day": "1/(cm2 day)", "kg_m3": "kg/m3", "kg_s": "kg/s",
    "m2_kg": "m2/kg", "bit_s": "bit/s", "a_s": "A s", "per_w": "1/W", "per_k": "1/K",
    "per_s": "1/s", "per_year": "1/yr", "per_accel_year": "1/(accelerator yr)", "unix_s": "s UTC",
    "count": "count", "index": "index", "frac": "0-1", "unit": "unit vector", "deg": "deg",
    "rad": "rad", "gev": "GeV", "mev": "MeV", "gv": "GV", "mv": "MV", "pfu": "pfu", "db": "dB",
    "hz": "Hz", "ohm": "ohm", "bit": "bit", "wh": "Wh", "km": "km", "mm": "mm", "mm_al": "mm Al",
    "m2": "m2", "kg": "kg", "pa": "Pa", "min": "min", "w": "W", "j": "J", "k": "K",
    "c": "C-rate or deg C", "a": "A", "v": "V", "m": "m", "s": "s", "h": "h",
    "au": "AU", "kw": "kW", "kwh": "kWh", "hours": "h", "byte": "byte", "usd_per_kg": "USD/kg",
    "year": "yr", "usd": "USD",
}  # fmt: skip
"""Unit of a quantity by the end of its name."""


@dataclass
class Entry:
    """One function as the page shows it."""

    module: str
    name: str
    summary: str
    inputs: list[tuple[str, str]]
    parts: dict[str, list[str]] = field(default_factory=dict)


def unit_of(name: str) -> str:
    """Unit that a name ends in, by the longest match; empty where it carries none."""
    words = name.lower().split("_")
    for length in range(min(4, len(words)), 0, -1):
        unit = UNITS.get("_".join(words[-length:]))
        if unit:
            return unit
    return ""


def equations_page() -> str:
    """The whole page."""
    errors = _errors()
    sections = [
        (title, [entry for module in modules for entry in _entries(module)])
        for title, modules in SECTIONS
    ]
    lines = [_HEAD]
    for title, entries in sections:
        lines += ["", f"**{title}**", ""]
        lines += [
            f"- [`{e.module}.{e.name}`](#{e.module}{e.name.lower()}): {_plain([e.summary])}"
            for e in entries
        ]
    for title, entries in sections:
        lines += ["", f"## {title}"]
        for entry in entries:
            lines += _rendered(entry, errors.get(f"twin.{entry.module}.{entry.name}", []))
    return "\n".join(lines) + "\n"


_HEAD: Final = """# Equations

Generated from the docstrings of `twin/` by `make generate`; edit those, not this page. Measured
errors are those of `tests/golden/errors.json`, found by `make golden` against tools that are not
ours. Units are SI and stand at the end of every name; (n,) is one number per satellite.
"""


def _errors() -> dict[str, list[dict[str, Any]]]:
    stored = json.loads((ROOT / "tests/golden/errors.json").read_text("utf-8"))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in stored["errors"]:
        found.setdefault(row["function"], []).append(row)
    return found


def _entries(module: str) -> Iterator[Entry]:
    path = ROOT / "twin" / f"{module}.py"
    if not path.exists():
        return
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        text = ast.get_docstring(node)
        if not text:
            continue
        if isinstance(node, ast.FunctionDef):
            if _is_numeric(node):
                arguments = [*node.args.args, *node.args.kwonlyargs]
                inputs = [(one.arg, _input_unit(one)) for one in arguments]
                yield _entry(module, node.name, text, inputs)
        elif node.name == "Orbits":
            yield _entry(module, node.name, text, [])


def _is_numeric(node: ast.FunctionDef) -> bool:
    arguments = [*node.args.args, *node.args.kwonlyargs]
    taken = " ".join(ast.unparse(one.annotation) for one in arguments if one.annotation)
    given = ast.unparse(node.returns) if node.returns else ""
    return bool(re.search(r"Array|float|Environment|State|Params|Point", taken)) and given != "None"


def _input_unit(argument: ast.arg) -> str:
    kind = ast.unparse(argument.annotation) if argument.annotation else ""
    return unit_of(argument.arg) or kind


_CITATION: Final = r"[A-Z][\w-]+(?: (?:& [A-Z]\w+|et al\.))? \(?(?:19|20)\d\d\)?(?:,[^);:.]*)?"


def _entry(module: str, name: str, text: str, inputs: list[tuple[str, str]]) -> Entry:
    head, _, body = text.partition("\n\n")
    head, *more = re.split(r"(?<=[.:]) (?=[A-Z])", " ".join(head.split()), maxsplit=1)
    entry = Entry(module, name, head.rstrip(".:"), inputs)
    for paragraph in [*more, *body.split("\n\n")]:
        for sentence in _sentences(paragraph):
            entry.parts.setdefault(_kind(sentence), []).append(sentence)
    if "Source" not in entry.parts:
        cited = re.findall(_CITATION, " ".join(text.split()))
        beside = f"by definition, or beside the constants of `twin/{module}.py`"
        entry.parts["Source"] = [("; ".join(dict.fromkeys(cited)) or beside) + "."]
    return entry


def _sentences(paragraph: str) -> list[str]:
    text = " ".join(paragraph.split())
    # Not after an abbreviation or an initial.
    cuts = r"(?<![^0-9\s] [A-Z]\.)(?<!e\.g\.)(?<!i\.e\.)(?<!al\.)(?<!cf\.)(?<=[.])\s+(?=[A-Za-z(])"
    return [part for part in re.split(cuts, text) if part]


_KINDS: Final = (
    ("Source", r"Sources?\b|[A-Z][a-z]+ (&|et al)"),
    ("Validity", r"(Validity|Valid|Not valid)\b"),
    ("Error as stated", r"(Error|Against|Orbit means)\b"),
    ("Raises", r"Raises\b"),
    ("Notes", r"Inputs?\b"),
    ("Equation", r".*[A-Za-z0-9)\]'+*] (=|<=|>=|~) "),
    ("Source", r".*\([^)]*\b(19|20)\d\d\b[^)]*\)"),
)


def _kind(sentence: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.match(pattern, sentence)), "Notes")


def _rendered(entry: Entry, errors: list[dict[str, Any]]) -> list[str]:
    lines = ["", f"### {entry.module}.{entry.name}", "", _plain([entry.summary]) + "."]
    if "Equation" in entry.parts:
        lines += ["", "```text", *_formulas(entry.parts["Equation"]), "```"]
    if entry.inputs:
        listed = ", ".join(f"`{name}` [{unit}]" for name, unit in entry.inputs)
        lines += ["", f"- Inputs: {listed}"]
    else:
        lines += [""]
    for kind in ("Validity", "Source", "Error as stated", "Raises", "Notes"):
        if kind in entry.parts:
            lines.append(f"- {kind}: {_plain(entry.parts[kind])}")
    for row in errors:
        unit = f" {row['unit']}" if row["unit"] else ""
        lines.append(
            f"- **Measured error: {row['error']:g}{unit}** against {row['against']}: {row['what']}."
        )
    return lines


def _formulas(sentences: list[str]) -> Iterator[str]:
    for sentence in sentences:
        for part in re.split(r"(?<=;)\s+", sentence):
            yield _wrapped(part.rstrip(";"))


def _plain(sentences: list[str]) -> str:
    text = " ".join(re.sub(r"^(Validity|Source|Sources|Error)[:]? ", "", one) for one in sentences)
    # Markdown must not read formulas as emphasis or links.
    return re.sub(r"([*<\[\]])", r"\\\1", text)


def _wrapped(sentence: str, width: int = 96) -> str:
    words, lines = sentence.rstrip(".").split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("   ")
        lines[-1] += (" " if lines[-1].strip() else "") + word
    return "\n".join(lines)
