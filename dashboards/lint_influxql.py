"""What a query in a dashboard must and must not be, read from its text."""

import re
from collections.abc import Iterator

from dashboards.panels import SERIES_LIMIT

MACROS = frozenset({"timeFilter", "__interval"})
"""What every Grafana from 9.3 to 13 fills in the browser and in the server alike."""
LENGTH_LIMIT = 4000
_DOLLAR = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")


def query_findings(text: str, variables: set[str], *, over_time: bool) -> Iterator[tuple[str, str]]:
    """Rule and text of each fault; `variables` are those of the dashboard.

    over_time: the answer is drawn as series, so it must be grouped by time and never by satellite.
    """
    yield from _macros(text, variables)
    if "$timeFilter" not in text:
        yield "time", "no $timeFilter: reads everything that was ever stored"
    if re.search(r"SELECT\s+\*|SELECT.*\(\s*\*\s*\)", text):
        yield "select", "SELECT * reads every field"
    if len(text) > LENGTH_LIMIT:
        yield "length", f"{len(text)} characters, at most {LENGTH_LIMIT}"
    if over_time:
        yield from _series(text)
    if text.count("(") != text.count(")") or text.count("'") % 2 or text.count('"') % 2:
        yield "syntax", "brackets or quotes do not match"
    if re.search(r"\"\$\{", text):
        yield "quotes", "a variable in double quotes is a name, not a value"
    if re.search(r"=\s*\$\{", text):
        yield "quotes", "a variable without quotes"
    if re.search(r"\b(DROP|DELETE|CREATE|ALTER|INTO|GRANT|KILL)\b", text):
        yield "read-only", "a statement that changes the store"


def _macros(text: str, variables: set[str]) -> Iterator[tuple[str, str]]:
    for match in _DOLLAR.finditer(text):
        name = match[1] or match[3]
        if match[3] in MACROS:
            continue
        if name not in variables:
            yield "variable", f"{match[0]} is no variable of the dashboard"
        elif match[2] != "raw":
            yield "variable", f"{match[0]}: without :raw each version quotes it otherwise"


def _series(text: str) -> Iterator[tuple[str, str]]:
    group = re.search(r"GROUP BY (.*)$", text)
    if group is None or "time(" not in group[1]:
        yield "group", "series without GROUP BY time()"
        return
    if "time($__interval)" not in group[1]:
        yield "group", "an interval of its own: a day would be as fine as a minute"
    if "fill(none)" not in group[1]:
        yield "fill", "no fill(none): empty intervals come as nulls"
    if '"sat"' in group[1]:
        yield "cardinality", "a series for each of ten thousand satellites"
    elif re.search(r"time\([^)]*\)\s*,", group[1]):
        limit = re.search(r"SLIMIT (\d+)", group[1])
        if limit is None or int(limit[1]) > SERIES_LIMIT:
            yield "cardinality", f"split by a tag without SLIMIT up to {SERIES_LIMIT}"
