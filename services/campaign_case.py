"""One case of a campaign, run in whatever process has it; and the code that its result is of."""

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from services.drill_files import open_drill
from services.drill_run import DrillRun
from services.drill_score import marked
from services.drill_tables import as_data
from twin.alerts import RULES
from twin.campaigns import Case
from twin.drill_load import Drill
from twin.fleet_build import FleetBuild

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("passed", "points", "delay_p50_s", "delay_p95_s", "detections", "false_pages", "failures")
"""What is kept of a drill's data."""


@cache
def code_version() -> str:
    """Hash of every file that a result can depend on: the twin, its data and the drills' runner."""
    files = [path for path in (ROOT / "twin").rglob("*") if path.suffix in {".py", ".yaml"}]
    files += [ROOT / "services" / f"{name}.py" for name in ("drill_run", "drill_score", "orders")]
    seen = hashlib.sha256()
    for path in sorted(files):
        seen.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return seen.hexdigest()[:16]


def run_case(case: Case) -> bytes:
    """Run and score one case: JSON, the same bytes wherever and whenever it runs."""
    drill, build = _opened(case.drill, case.digest)
    fleet = build.fleet
    fleet = type(fleet)(**{**vars(fleet), "params": case.design(fleet.params)})
    own = type(build)(**{**vars(build), "fleet": fleet})
    data = as_data(marked(DrillRun(case.applied(drill), own, RULES).run(), RULES))
    return result_bytes(case, {name: data[name] for name in KEPT})


def result_bytes(case: Case, found: dict[str, Any]) -> bytes:
    """A result as it is kept; where the drill's file lies is no part of it."""
    own = {
        "seed": case.seed,
        "severity": case.severity,
        "target": case.target,
        "factors": dict(case.factors),
    }
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps({"case": own, "found": found}, option=options)


@lru_cache(maxsize=4)
def _opened(path: str, _digest: str) -> tuple[Drill, FleetBuild]:
    return open_drill(path)
