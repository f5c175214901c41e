"""`make grafana-smoke`: the first minutes on a real Grafana, and what came of them.

Health and plugin, apply, a plan that must be empty, every query of every panel through Grafana's
own way to the store, the health of every rule after a tick, an annotation written and read back,
pictures of the dashboards. What a stand-in cannot show is shown here, on a Grafana that is given.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboards.build import dashboards
from dashboards.grafana_json import DATASOURCE
from dashboards.panels import DashboardSpec, QuerySpec
from dashboards.query_list import ListedQuery, listed
from services.findings import Finding
from services.grafana import Grafana, GrafanaRefusedError
from services.provision import Kind, apply, plan
from services.provision_doctor import examine
from services.provision_notes import OURS, annotation
from twin.errors import TwinError

TICKS_LIMIT: Final = 24
TICK_WAIT_S: Final = 5.0
"""Two minutes for every rule to be evaluated once: groups run every 10 s, newer Grafana spreads
them over the interval."""
RANGE_S: Final = 1800.0
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PICTURE_LIMIT_S: Final = 120.0


@dataclass(frozen=True)
class Asked:
    """One query through Grafana: rows and frames, or what went wrong."""

    listed: ListedQuery
    rows: int
    frames: int
    error: str = ""

    @property
    def verdict(self) -> str:
        """The error, or whether anything came."""
        return self.error or ("ok" if self.rows else "empty")


def smoke(grafana: Grafana, kinds: Sequence[Kind], out: Path) -> Iterator[Finding]:
    """One finding after the other; pictures and the list of queries go into `out`."""
    found = list(examine(grafana))
    yield from (one for one in found if one.subject != "data source")
    if not all(one.is_well for one in found if one.subject in {"address", "log-in"}):
        return
    yield from _provisioned(grafana, kinds)
    yield next(one for one in examine(grafana) if one.subject == "data source")
    out.mkdir(parents=True, exist_ok=True)
    yield _queries(grafana, out / "queries.tsv")
    yield _rules(grafana)
    yield _annotated(grafana)
    yield _pictures(grafana, out)


def _provisioned(grafana: Grafana, kinds: Sequence[Kind]) -> Iterator[Finding]:
    try:
        done = apply(kinds)
        blocked = [str(row) for row in done if row.action == "blocked"]
        yield Finding("apply", not blocked, "; ".join(blocked) or f"{len(done)} steps", "see plan")
        left = [str(row) for row in plan(kinds) if row.is_drift]
    except TwinError as error:
        yield Finding("apply", False, str(error), "twin provision doctor")
        return
    detail = "; ".join(left)[:600] or f"nothing to do on {grafana.url}"
    yield Finding("plan after apply", not left, detail, "this Grafana rewrites something: see diff")


# queries


def _queries(grafana: Grafana, report: Path) -> Finding:
    """Every query of panels, variables and annotations; an empty answer is told, not a fault."""
    answers = list(ask_all(grafana, dashboards()))
    rows = [f"{one.listed.key}\t{one.frames}\t{one.rows}\t{one.verdict}" for one in answers]
    report.write_text("query\tframes\trows\tverdict\n" + "\n".join(rows) + "\n", "utf-8")
    failed = [one for one in answers if one.error]
    empty = sum(not one.rows and not one.error for one in answers)
    detail = f"{len(answers)} asked, {len(failed)} failed, {empty} empty: {report}"
    if failed:
        detail += f"; first: {failed[0].listed.key}: {failed[0].error}"
    return Finding("queries", not failed, detail, "is the twin running, is the store its own?")


def ask_all(grafana: Grafana, boards: tuple[DashboardSpec, ...]) -> Iterator[Asked]:
    """Each query once, variables first: their first choice is what panels are asked with."""
    queries = list(listed(boards))
    chosen: dict[str, str] = {}
    for one in sorted(queries, key=lambda row: row.kind != "variable"):
        try:
            frames = _ask(grafana, one.query, chosen)
        except TwinError as error:
            yield Asked(one, 0, 0, str(error))
            continue
        values = [frame["data"]["values"] for frame in frames]
        rows = sum(len(columns[0]) for columns in values if columns)
        if one.kind == "variable" and rows:
            first = next(columns for columns in values if columns and columns[-1])
            chosen.setdefault(one.name, str(first[-1][0]))
        yield Asked(one, rows, len(frames))


def _ask(grafana: Grafana, query: QuerySpec, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """Frames of one query as Grafana's data source makes them."""
    text = query.text
    for name, value in chosen.items():
        text = text.replace(f"${{{name}:raw}}", value)
    now_ms = round(time.time() * 1000.0)
    body = {
        "from": str(now_ms - round(RANGE_S * 1000.0)),
        "to": str(now_ms),
        "queries": [
            {
                "refId": query.ref_id,
                "datasource": DATASOURCE,
                "query": text,
                "rawQuery": True,
                "resultFormat": query.result,
                "alias": query.alias,
                "intervalMs": 10_000,
                "maxDataPoints": 300,
            }
        ],
    }
    answer = grafana.ask("POST", "/ds/query", body)
    result = answer["results"][query.ref_id]
    if result.get("error"):
        raise GrafanaRefusedError(str(result["error"]), int(result.get("status", 0)), "/ds/query")
    frames: list[dict[str, Any]] = result.get("frames") or []
    return frames


# rules, annotation, pictures


def _rules(grafana: Grafana) -> Finding:
    """Health of every rule of ours once it has been evaluated."""
    states: dict[str, tuple[str, str]] = {}
    waiting: list[str] = []
    for _ in range(TICKS_LIMIT):
        answer = grafana.get("/prometheus/grafana/api/v1/rules")
        states = {
            rule["name"]: (str(rule.get("health", "")), str(rule.get("lastError") or ""))
            for group in answer["data"]["groups"]
            for rule in group["rules"]
            if (rule.get("labels") or {}).get("managed_by") == OURS
            and not str(rule.get("lastEvaluation", "0001")).startswith("0001")
        }
        waiting = sorted(_wanted_titles(grafana) - states.keys())
        if not waiting:
            break
        grafana.patience.sleep(TICK_WAIT_S)
    ill = {name: error for name, (health, error) in states.items() if health in {"error", "err"}}
    detail = f"{len(states)} evaluated, {len(ill)} in error, {len(waiting)} not evaluated"
    if ill:
        name, error = next(iter(ill.items()))
        detail += f"; {name}: {error}"
    return Finding("rules", bool(states) and not ill and not waiting, detail, "see Grafana's log")


def _wanted_titles(grafana: Grafana) -> set[str]:
    rows = grafana.get("/v1/provisioning/alert-rules")
    return {row["title"] for row in rows if (row.get("labels") or {}).get("managed_by") == OURS}


def _annotated(grafana: Grafana) -> Finding:
    """An annotation as a drill writes it, found again by its tag, and removed."""
    try:
        made = grafana.ask(
            "POST", "/annotations", annotation("smoke", time.time(), None, ["smoke"])
        )
        rows = grafana.get(f"/annotations?tags={OURS}&tags=smoke&limit=10")
        is_there = any(row["id"] == made["id"] for row in rows)
        grafana.ask("DELETE", f"/annotations/{made['id']}")
    except TwinError as error:
        return Finding("annotation", False, str(error), "role Editor is needed")
    return Finding("annotation", is_there, "written, read back, removed", "see Grafana's log")


def _pictures(grafana: Grafana, out: Path) -> Finding:
    """A picture of each dashboard as a viewer without a log-in sees it."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return Finding("pictures", True, "left out: no Chromium on this machine")
    made = []
    for board in dashboards():
        path = out / f"{board.uid}.png"
        path.unlink(missing_ok=True)
        url = f"{grafana.url}/d/{board.uid}?kiosk&from=now-30m&to=now"
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--window-size=1600,1200", "--virtual-time-budget=20000", f"--screenshot={path}", url,
        ]  # fmt: skip
        try:
            subprocess.run(command, capture_output=True, timeout=PICTURE_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            continue
        if path.exists():
            made.append(path.name)
    detail = f"{len(made)} of {len(dashboards())} in {out}: look at them"
    return Finding("pictures", len(made) == len(dashboards()), detail, "does Chromium start here?")
