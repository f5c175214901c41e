"""docs/equations.md: the physics of the twin as a page, from its own docstrings.

What is on the page follows from the code: a public function of a physics module is an equation
when it gives numbers (float, FloatArray or a tuple of them) or when its docstring states a
formula, and a class when its docstring has a source. All others keep books. An equation without
units, validity or a source that a reader can look up fails the generation. A docstring is cut into
sentences; each goes under equation, validity, source, stated error or notes by what it says.
Measured errors come from tests/golden/errors.json, units from names.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeGuard

ROOT = Path(__file__).resolve().parent.parent

SECTIONS: Final = (
    ("Time", ("clock",)),
    ("Orbit and place", ("orbit", "geometry", "sun", "constellations", "mean_elements", "lunar")),
    ("Sunlight, shadow and the Earth's warmth", ("eclipse", "environment")),
    ("Drag and space weather", ("drag", "space_weather")),
    ("Particles", ("trapped", "cosmic_rays", "solar_particles", "shielding", "radiation")),
    ("Electrical power: array, bus, modes", ("power", "power_ahead", "attitude")),
    ("Battery", ("battery", "battery_ageing", "ageing")),
    ("Heat", ("thermal", "thermal_control", "heat_network", "coolant", "initial")),
    ("What an undamaged satellite would show", ("model_channels",)),
    ("Workload", ("workload", "training_groups", "upsets")),
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
    "year": "yr", "usd": "USD", "cosine": "1", "sine": "1", "cos": "1", "sin": "1", "gain": "1",
    "growth": "1", "inverse_l": "1", "days": "d", "rad_min": "rad/min", "t_per_year": "t/yr",
    "usd_per_kw_year": "USD/(kW yr)",
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
    lacking: list[str] = field(default_factory=list)
    result: str = ""  # unit, where the name has it


def unit_of(name: str) -> str:
    """Unit that a name ends in, by the longest match; empty where it carries none."""
    words = name.lower().split("_")
    for length in range(min(4, len(words)), 0, -1):
        unit = UNITS.get("_".join(words[-length:]))
        if unit:
            return unit
    return ""


class EquationError(ValueError):
    """Equations that lack units, validity or a source, one line each."""


def equations_page() -> str:
    """The whole page. Raises EquationError for equations that lack what a reader needs."""
    errors = _errors()
    sections = [
        (title, [entry for module in modules for entry in module_equations(module)])
        for title, modules in SECTIONS
    ]
    lacking = [line for _, entries in sections for entry in entries for line in entry.lacking]
    if lacking:
        raise EquationError("\n".join(lacking))
    shown = [f"twin.{entry.module}.{entry.name}" for _, entries in sections for entry in entries]
    measured = sum(name in errors for name in shown)
    head = _HEAD.format(count=len(shown), measured=measured)
    lines = [head]
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

{count} equations, each with its validity and source; {measured} of them with an error measured
against an outside reference. An input in capital letters is a set of fields whose names carry
their units (`twin/state.py`); a result without a unit beside it has it in the first line. "Closed
form" and "by definition" are sources that need no other; "assumption" stands beside a constant of
the module that it names, with its reason.
"""


def _errors() -> dict[str, list[dict[str, Any]]]:
    stored = json.loads((ROOT / "tests/golden/errors.json").read_text("utf-8"))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in stored["errors"]:
        found.setdefault(row["function"], []).append(row)
    return found


def module_equations(module: str) -> Iterator[Entry]:
    """Equations of a module of `twin/`, in its order."""
    yield from equations_of(module, (ROOT / "twin" / f"{module}.py").read_text("utf-8"))


def equations_of(module: str, source: str) -> Iterator[Entry]:
    """Equations of a module's text, each with what it lacks."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        entry = _entry(module, node)
        gives = ast.unparse(node.returns or ast.Constant(None)) if _is_function(node) else ""
        numbers = bool(_NUMBERS.fullmatch(gives))
        stated = "Equation" if _is_function(node) else "Source"
        if numbers or stated in entry.parts:
            entry.lacking = [f"twin/{module}.py: {node.name}: {one}" for one in _lacks(entry)]
            if numbers and not unit_of(node.name) and "[" not in entry.summary:
                entry.lacking.append(f"twin/{module}.py: {node.name}: no unit of the result")
            yield entry


_NUMBERS: Final = re.compile(
    r"(tuple\[)?(float|FloatArray)((, |\s\|\s)(float|FloatArray|\.\.\.))*\]?"
)
_RESOLVABLE: Final = re.compile(
    r"\b(1[6-9]|20)\d\d\b|arXiv:|doi:|by definition|closed form|assumption|law\b"
)
_PRIVATE: Final = re.compile(r"\b\w+\.md\b|\bS\d\d\b")


def _is_function(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef)


def _lacks(entry: Entry) -> Iterator[str]:
    if "Validity" not in entry.parts:
        yield "no validity"
    source = " ".join(entry.parts.get("Source", []))
    if not source:
        yield "no source"
    elif _PRIVATE.search(source) or not _RESOLVABLE.search(source):
        yield f"a source that cannot be looked up: {source}"
    for name, unit in entry.inputs:
        if not unit:
            yield f"no unit of {name}"


def _input_unit(argument: ast.arg, text: str) -> str:
    """By the name, else as the docstring has it (`name` [unit]), else the kind of no number."""
    kind = ast.unparse(argument.annotation) if argument.annotation else ""
    said = re.search(rf"`{argument.arg}` \[([^\]]+)\]", text)
    unit = unit_of(argument.arg) or (said[1] if said else "")
    return unit or ("" if re.search(r"\bfloat\b|FloatArray", kind) else kind)


def _entry(module: str, node: ast.FunctionDef | ast.ClassDef) -> Entry:
    text = ast.get_docstring(node) or ""
    head, _, body = text.partition("\n\n")
    head, *more = re.split(r"(?<=[.:]) (?=[A-Z])", " ".join(head.split()), maxsplit=1)
    arguments = [*node.args.args, *node.args.kwonlyargs] if _is_function(node) else []
    inputs = [(one.arg, _input_unit(one, text)) for one in arguments]
    entry = Entry(module, node.name, head.rstrip(".:"), inputs, result=unit_of(node.name))
    for paragraph in [*more, *body.split("\n\n")]:
        for sentence in _sentences(paragraph):
            entry.parts.setdefault(_kind(sentence), []).append(sentence)
    return entry


def _sentences(paragraph: str) -> list[str]:
    text = " ".join(paragraph.split())
    found: list[str] = []
    # What follows a label belongs to it: journals abbreviate.
    for part in re.split(r"(?<=[.;:]) (?=(?:Source|Validity):)", text):
        if part.startswith(("Source:", "Validity:")):
            found.append(part)
        else:
            found += [one for one in re.split(_CUTS, part) if one]
    return found


# Not after an abbreviation or an initial.
_CUTS: Final = (
    r"(?<![^0-9\s] [A-Z]\.)(?<!e\.g\.)(?<!i\.e\.)(?<!al\.)(?<!cf\.)(?<=[.])\s+(?=[A-Za-z(])"
)


_KINDS: Final = (
    ("Source", r"Sources?\b"),
    ("Validity", r"(Validity|Valid|Not valid)\b"),
    ("Error as stated", r"(Error|Against|Orbit means)\b"),
    ("Raises", r"Raises\b"),
    ("Notes", r"Inputs?\b"),
    ("Equation", r".*[A-Za-z0-9)\]'+*] (=|<=|>=|~) "),
)


def _kind(sentence: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.match(pattern, sentence)), "Notes")


def _rendered(entry: Entry, errors: list[dict[str, Any]]) -> list[str]:
    lines = ["", f"### {entry.module}.{entry.name}", "", _plain([entry.summary]) + "."]
    if "Equation" in entry.parts:
        lines += ["", "```text", *_formulas(entry.parts["Equation"]), "```"]
    if entry.inputs:
        listed = ", ".join(f"`{name}` [{unit}]" for name, unit in entry.inputs)
        result = f"; result [{entry.result}]" if entry.result else ""
        lines += ["", f"- Inputs: {listed}{result}"]
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
