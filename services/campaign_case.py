"""One case of a campaign, run in whatever process has it; and the code that its result is of."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from services.drill_files import open_drill
from services.drill_run import DrillRun
from services.drill_score import marked
from services.drill_tables import as_data
from twin.alerts import RULES
from twin.campaigns import Case
from twin.drill_load import Drill
from twin.errors import TwinError
from twin.fleet_build import FleetBuild

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("passed", "points", "delay_p50_s", "delay_p95_s", "detections", "false_pages", "failures")
"""What is kept of a drill's data."""


RUNNER = ("campaign_case", "drill_files", "drill_notify", "drill_run", "drill_score",
          "drill_tables", "orders")  # fmt: skip


class ChangedCodeError(TwinError):
    """A result of other code than the campaign's; its case counts as not done."""

    exit_code = 1


def code_on_disk() -> str:
    """Hash of every file that a result can depend on: the twin, its data and the drills' runner."""
    files = [path for path in (ROOT / "twin").rglob("*") if path.suffix in {".py", ".yaml"}]
    files += [ROOT / "services" / f"{name}.py" for name in RUNNER]
    files.append(ROOT / "dashboards" / "routes.py")  # who is told
    seen = hashlib.sha256()
    for path in sorted(files):
        seen.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return seen.hexdigest()[:16]


CODE_VERSION: Final = code_on_disk()
"""The code of this process, as it was when it was loaded: a worker that is started again after an
edit has another one, one that goes on does not."""


def run_case(case: Case) -> bytes:
    """Run and score one case: JSON, the same bytes wherever and whenever the same code runs it.

    Raises ChangedCodeError where the files were edited before this process had read them all.
    """
    drill, build = _opened(case.drill, case.digest)
    fleet = build.fleet
    fleet = type(fleet)(**{**vars(fleet), "params": case.design(fleet.params)})
    own = type(build)(**{**vars(build), "fleet": fleet})
    data = as_data(marked(DrillRun(case.applied(drill), own, RULES).run(), RULES))
    return result_bytes(case, {name: data[name] for name in KEPT})


def result_bytes(case: Case, found: dict[str, Any]) -> bytes:
    """A result as it is kept, with the code it is of; the drill's path is no part of it."""
    own = {
        "seed": case.seed,
        "severity": case.severity,
        "target": case.target,
        "factors": dict(case.factors),
    }
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps({"case": own, "code": CODE_VERSION, "found": found}, option=options)


def refuse_other_code(result: bytes, wanted: str) -> None:
    """Raises ChangedCodeError for a result that other code made."""
    made_by = orjson.loads(result).get("code")
    if made_by != wanted:
        raise ChangedCodeError(
            f"made by code {made_by}, this campaign is of code {wanted}: the code was changed "
            "meanwhile or a worker has another installation; start again"
        )


@lru_cache(maxsize=4)
def _opened(path: str, _digest: str) -> tuple[Drill, FleetBuild]:
    opened = open_drill(path)
    if (now := code_on_disk()) != CODE_VERSION:  # all that a case reads has been read by now
        raise ChangedCodeError(f"the code was changed from {CODE_VERSION} to {now}; start again")
    return opened
