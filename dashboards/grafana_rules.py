"""Alert rules as Grafana takes them: a query, the last value of each series, a threshold.

Emitted so that every version from 9.3 to 13 reads the same: `for` is always there, states of no
data and of errors are set, evaluators are `gt` or `lt`, reducers drop what is no number (which
9.x would alert on), labels hold no `$` (which files expand from the environment), and group
intervals are multiples of the scheduler's 10 s.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dashboards.grafana_json import DATASOURCE, DATASOURCE_UID
from dashboards.routes import OWNER, OWNER_LABEL, UID_PREFIX
from dashboards.routes_grafana import duration

Json = dict[str, Any]

FOLDER_UID: Final = "twin-alerts"
FOLDER_TITLE: Final = "Twin alerts"
EXPRESSIONS: Final = "__expr__"
TICK_S: Final = 10
"""The scheduler's step: intervals of groups are multiples of it."""
UID_LIMIT: Final = 40
NO_SERIES: Final = "OK"
"""State of no data: a query that returns breaches only returns nothing where all is well."""


@dataclass(frozen=True)
class RuleSpec:
    """One rule in Grafana's terms; the query's series each become an alert with its tags.

    `query` is InfluxQL with $timeFilter and returns one numeric column; `window_s` is how far it
    looks back. `no_data` is what it means that there is no series at all, `missing_evals` after
    how many evaluations without its series an alert ends (12 and newer; 9.4 always takes 2).
    `clear` ends an alert later than the threshold (hysteresis, 10.2 and newer).
    """

    uid: str
    title: str
    group: str
    query: str
    window_s: int
    evaluator: Literal["gt", "lt", "outside_range"]
    params: tuple[float, ...]
    for_s: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    keep_firing_s: int = 0
    interval_s: int = TICK_S
    no_data: Literal["OK", "NoData", "Alerting"] = NO_SERIES
    missing_evals: int = 2
    clear: float | None = None
    panel: tuple[str, int] | None = None


class RuleSpecError(ValueError):
    """A rule that some Grafana of 9.3 to 13 would refuse or change; names rule and fault."""


def check(spec: RuleSpec) -> None:
    """Raises RuleSpecError for what one of the versions would refuse, drop or change."""
    fits = spec.uid.startswith(UID_PREFIX) and len(spec.uid) <= UID_LIMIT
    broken = {
        f"uid must begin with {UID_PREFIX}, have at most {UID_LIMIT} of a-z, 0-9, - and _": not (
            fits and re.fullmatch(r"[a-z0-9_-]+", spec.uid)
        ),
        f"interval {spec.interval_s} s is no multiple of {TICK_S} s": spec.interval_s <= 0
        or spec.interval_s % TICK_S != 0,
        "`for` is negative": spec.for_s < 0,
        # 9.x prints the number with six decimals.
        f"thresholds {spec.params} lose digits with six decimals": any(
            abs(round(one, 6) - one) > 1e-9 * abs(one) for one in spec.params
        ),
        f"{spec.evaluator} takes other thresholds than {spec.params}": len(spec.params)
        != (2 if spec.evaluator == "outside_range" else 1),
        "a label holds $, which a file would expand": any("$" in v for v in spec.labels.values()),
        "the query has no $timeFilter": "$timeFilter" not in spec.query,
        "the title is longer than 190": len(spec.title) > 190,
    }
    for fault, is_so in broken.items():
        if is_so:
            raise RuleSpecError(f"rule {spec.uid}: {fault}")


def _annotations(spec: RuleSpec) -> dict[str, str]:
    found = dict(spec.annotations)
    if spec.panel is not None:  # both or neither: Grafana refuses one without the other
        found["__dashboardUid__"], found["__panelId__"] = spec.panel[0], str(spec.panel[1])
    return found


def _data(spec: RuleSpec) -> list[Json]:
    def expression(ref_id: str, model: Json) -> Json:
        return {
            "refId": ref_id,
            "queryType": "",
            "datasourceUid": EXPRESSIONS,
            "relativeTimeRange": {"from": 0, "to": 0},
            "model": {
                "refId": ref_id,
                "datasource": {"type": EXPRESSIONS, "uid": EXPRESSIONS},
                **model,
            },
        }

    query: Json = {
        "refId": "A",
        "queryType": "",
        "datasourceUid": DATASOURCE_UID,
        "relativeTimeRange": {"from": spec.window_s, "to": 0},
        "model": {
            "refId": "A",
            "datasource": DATASOURCE,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
            "query": spec.query,
            "rawQuery": True,
            "resultFormat": "time_series",
        },
    }
    condition: Json = {"evaluator": {"type": spec.evaluator, "params": list(spec.params)}}
    if spec.clear is not None:
        back = {"gt": "lt", "lt": "gt"}[spec.evaluator]
        condition["unloadEvaluator"] = {"type": back, "params": [spec.clear]}
    reduce = {"type": "reduce", "expression": "A", "reducer": "last"}
    return [
        query,
        expression("B", {**reduce, "settings": {"mode": "dropNN"}}),
        expression(
            "C",
            {"type": "threshold", "expression": "B", "conditions": [condition]},
        ),
    ]


def rule_labels(spec: RuleSpec) -> dict[str, str]:
    """Labels of the rule, and whose it is."""
    return {**spec.labels, OWNER_LABEL: OWNER}


def rule_json(spec: RuleSpec) -> Json:
    """One rule as /api/v1/provisioning has it. Raises RuleSpecError.

    `keep_firing_for` and `missing_series_evals_to_resolve` are honoured by 12 and 13; 9.4 knows
    neither and leaves them out.
    """
    check(spec)
    return {
        "uid": spec.uid,
        "title": spec.title,
        "ruleGroup": spec.group,
        "folderUID": FOLDER_UID,
        "condition": "C",
        "data": _data(spec),
        "for": duration(spec.for_s),
        "keep_firing_for": duration(spec.keep_firing_s),
        "missing_series_evals_to_resolve": spec.missing_evals,
        "noDataState": spec.no_data,
        "execErrState": "Error",
        "isPaused": False,
        "labels": rule_labels(spec),
        "annotations": _annotations(spec),
    }


def groups(specs: Iterable[RuleSpec]) -> dict[str, list[RuleSpec]]:
    """Rules by group, in their order. Raises RuleSpecError for two intervals in one group."""
    found: dict[str, list[RuleSpec]] = {}
    for spec in specs:
        members = found.setdefault(spec.group, [])
        if members and members[0].interval_s != spec.interval_s:
            raise RuleSpecError(f"rule {spec.uid}: another interval than its group {spec.group}")
        members.append(spec)
    return found


def group_json(name: str, specs: list[RuleSpec]) -> Json:
    """Body of PUT /api/v1/provisioning/folder/{uid}/rule-groups/{name}; interval in seconds."""
    return {
        "title": name,
        "folderUid": FOLDER_UID,
        "interval": specs[0].interval_s,
        "rules": [rule_json(spec) for spec in specs],
    }


def group_file(name: str, specs: list[RuleSpec]) -> Json:
    """Provisioning file of one group, `apiVersion: 1`: other names, durations as text."""
    rules = []
    for spec in specs:
        body = rule_json(spec)
        rules.append(
            {
                "uid": body["uid"],
                "title": body["title"],
                "condition": body["condition"],
                "for": body["for"],
                "keepFiringFor": body["keep_firing_for"],
                "missing_series_evals_to_resolve": body["missing_series_evals_to_resolve"],
                "noDataState": body["noDataState"],
                "execErrState": body["execErrState"],
                "isPaused": body["isPaused"],
                "labels": body["labels"],
                "annotations": body["annotations"],
                "data": body["data"],
            }
        )
    row = {
        "orgId": 1,
        "name": name,
        "folder": FOLDER_TITLE,
        "interval": duration(specs[0].interval_s),
        "rules": rules,
    }
    return {"apiVersion": 1, "groups": [row]}
