"""Whether what Grafana has is what we want, although it rewrites what it is given.

Grafana adds defaults and ids, prints `60s` as `1m`, sorts matchers, masks secrets, and 12 and 13
migrate dashboards. So what it has is first cut down to what we said (`projected`), and both sides
are written one way (`normal`); what is left is a difference that somebody made.
"""

import difflib
import hashlib
import re
from typing import Any, Final

import orjson

Json = dict[str, Any]

DURATIONS: Final = frozenset(
    {"for", "keep_firing_for", "group_wait", "group_interval", "repeat_interval"}
)
WHOLE: Final = frozenset({"labels", "annotations", "object_matchers", "group_by", "routes"})
"""Compared with all they hold: what somebody added there is a difference."""
NOT_EVERYWHERE: Final = frozenset({"keep_firing_for", "missing_series_evals_to_resolve"})
"""Unknown to older versions, which drop them: compared where the server has them at all."""
MASKED: Final = "[REDACTED]"
_PARTS: Final = re.compile(r"(\d+)(ms|[ywdhms])")
_UNITS_S: Final = {
    "y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3,
}  # fmt: skip


def seconds(value: Any) -> Any:
    """A duration of Prometheus in seconds (`1m30s` is 90.0); anything else as it is."""
    if not isinstance(value, str) or not re.fullmatch(r"0|(\d+(ms|[ywdhms]))+", value):
        return value
    return sum(int(count) * _UNITS_S[unit] for count, unit in _PARTS.findall(value))


def projected(found: Any, wanted: Any, key: str = "") -> Any:
    """What is found, cut down to the keys that are wanted; a secret's mask is what was wanted."""
    if found == MASKED:
        return wanted
    if isinstance(found, dict) and isinstance(wanted, dict) and key not in WHOLE:
        rows = {}
        for name, value in wanted.items():
            if name in found:
                rows[name] = projected(found[name], value, name)
            elif not value or name in NOT_EVERYWHERE:
                rows[name] = value  # left out is the same as empty
        return rows
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [projected(*pair) for pair in zip(found, wanted, strict=True)]
    return wanted if not found and not wanted else found


def normal(value: Any, key: str = "") -> Any:
    """One way to write it: durations as seconds, numbers as floats, matchers sorted, text cut."""
    if key in DURATIONS:
        return seconds(value)
    if isinstance(value, dict):
        return {name: normal(value[name], name) for name in sorted(value)}
    if isinstance(value, list):
        rows = [normal(one) for one in value]
        return sorted(rows) if key == "object_matchers" else rows
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    return value.strip() if isinstance(value, str) else value


def sides(found: Any, wanted: Any) -> tuple[Any, Any]:
    """Both sides in the one form in which they can be compared."""
    return normal(projected(found, wanted)), normal(wanted)


def differs(found: Any, wanted: Any) -> bool:
    """True where Grafana has something else than we want."""
    left, right = sides(found, wanted)
    return bool(left != right)


def unified(name: str, found: Any, wanted: Any) -> str:
    """The difference as `diff -u` prints it; empty where there is none."""
    left, right = sides(found, wanted)
    rows = difflib.unified_diff(
        _lines(left), _lines(right), f"grafana/{name}", f"wanted/{name}", lineterm=""
    )
    return "".join(f"{row}\n" for row in rows)


def _lines(side: Any) -> list[str]:
    return [] if side is None else orjson.dumps(side, option=_OPTIONS).decode().splitlines()


_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS


def fingerprint(body: Any) -> str:
    """Eight hexadecimal digits of what a body says."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
