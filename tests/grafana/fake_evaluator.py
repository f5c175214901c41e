"""The stand-in's scheduler: its rules asked of a real InfluxDB, its states, its webhooks.

What it evaluates is what was provisioned, as JSON: the query with Grafana's $timeFilter, the
threshold with its recovery threshold, `for`, keep firing, missing series (12.4 and later; read in
pkg/services/ngalert/state, schedule and expr). It shares no code with our evaluator.
"""

import json
import re
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError, URLError

from fake import FakeGrafana
from fake_state import Json
from influxql import time_filters
from servers import InfluxServer

INTERVAL_S = 10.0
Labels = tuple[tuple[str, str], ...]


@dataclass
class Instance:
    """One series of one rule."""

    state: str = "Normal"
    since_s: float = 0.0
    seen_s: float = 0.0

    def move(self, state: str, now_s: float) -> bool:
        """Into a state; whether that begins or ends an alert."""
        fired, self.state, self.since_s = self.fires, state, now_s
        return fired != self.fires

    @property
    def fires(self) -> bool:
        """What a notification calls firing."""
        return self.state in {"Alerting", "Recovering"}


@dataclass
class Scheduler:
    """Evaluates the rules of a stand-in on a store, one instant after the other."""

    grafana: FakeGrafana
    store: InfluxServer
    database: str = "telemetry"
    behind_s: Callable[[], float] = lambda: 0.0
    """Grafana's clock less that of the stored rows, for what it says of instants."""
    sent: list[tuple[str, Json]] = field(default_factory=list)
    """Every alert that was notified, with the receiver that the policies choose."""
    answers: list[int] = field(default_factory=list)
    """What our webhook receivers answered."""
    _instances: dict[str, dict[Labels, Instance]] = field(default_factory=dict)
    _begun_s: dict[tuple[str, Labels], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def newest_s(self, fleet: str) -> float:
        """Instant of the newest row of a fleet."""
        text = f'SELECT last("tm_seq") FROM "sat_state" WHERE "fleet" = \'{fleet}\''
        (result,) = json.loads(self.store.query(text, self.database))["results"]
        rows = result.get("series", [])
        return float(rows[0]["values"][0][0]) / 1e9 if rows else 0.0

    def evaluate(self, row_s: float) -> None:
        """All rules at an instant of the stored rows."""
        rules = list(self.grafana.state.rules.values())
        text = ";".join(self._query(rule, row_s) for rule in rules)
        results = json.loads(self.store.query(text, self.database, "ms"))["results"]
        told = []
        with self._lock:
            for rule, result in zip(rules, results, strict=True):
                assert "error" not in result, (rule["uid"], result)
                told += self._ticked(rule, _values(result), row_s)
            self.grafana.state.evaluated = self._stamp(row_s)
        self._notify(told)

    def _query(self, rule: Json, row_s: float) -> str:
        query = rule["data"][0]
        window_s, stop_ns = query["relativeTimeRange"]["from"], round(row_s * 1e9)
        start_ns = stop_ns - round(window_s * 1e9) + 10**6
        text: str = query["model"]["query"]
        return text.replace("$timeFilter", time_filters(start_ns, stop_ns, 0)["server"])

    def _ticked(self, rule: Json, values: dict[Labels, float], now_s: float) -> list[Json]:
        """One rule at one instant; the alerts that began or ended."""
        known = self._instances.setdefault(rule["uid"], {})
        (condition,) = rule["data"][-1]["model"]["conditions"]
        changed = []
        results = {key: _breaches(condition, value) for key, value in values.items()}
        if not values:  # NoData goes to every series that is known
            results = dict.fromkeys(known or [()], rule["noDataState"] != "OK")
        for key, breach in results.items():
            one = known.setdefault(key, Instance())
            one.seen_s = now_s
            held = "unloadEvaluator" in condition and one.state in {"Pending", "Alerting"}
            if self._moved(rule, one, breach or (held and bool(values)), now_s):
                changed.append(key)
        missing_s = INTERVAL_S * float(rule.get("missing_series_evals_to_resolve") or 2)
        for key, one in list(known.items()):
            if one.seen_s + missing_s <= now_s:
                if one.move("Normal", now_s):
                    changed.append(key)
                del known[key]
        self.grafana.state.alerts[rule["uid"]] = [
            {"labels": dict(key), "state": one.state, "activeAt": self._stamp(one.since_s)}
            for key, one in known.items()
        ]
        return [self._alert(rule, key, known.get(key), now_s) for key in changed]

    def _stamp(self, row_s: float) -> str:
        now = datetime.fromtimestamp(row_s + self.behind_s(), UTC)
        return now.isoformat(timespec="microseconds")

    @staticmethod
    def _moved(rule: Json, one: Instance, breach: bool, now_s: float) -> bool:
        wait_s, keep_s = _seconds(rule["for"]), _seconds(rule.get("keep_firing_for", "0s"))
        if breach:
            due = one.state == "Pending" and now_s - one.since_s >= wait_s
            if one.state == "Normal" and wait_s > 0.0:
                return one.move("Pending", now_s)
            if due or one.state in {"Normal", "Recovering"}:
                return one.move("Alerting", now_s)
            return False
        if one.state == "Alerting" and keep_s > 0.0:
            return one.move("Recovering", now_s)
        if one.state == "Recovering" and now_s - one.since_s < keep_s:
            return False
        return one.state != "Normal" and one.move("Normal", now_s)

    def _alert(self, rule: Json, key: Labels, one: Instance | None, now_s: float) -> Json:
        """As a webhook has it."""
        fires = one is not None and one.fires
        if fires:
            self._begun_s[rule["uid"], key] = now_s
        labels = {**rule["labels"], "alertname": rule["title"], "grafana_folder": "Twin alerts"}
        return {
            "status": "firing" if fires else "resolved",
            "labels": labels | dict(key),
            "annotations": {},
            "startsAt": self._stamp(self._begun_s[rule["uid"], key]),
            "endsAt": "0001-01-01T00:00:00Z" if fires else self._stamp(now_s),
            "fingerprint": f"{rule['uid']}{key}",
            "ruleUID": rule["uid"],
        }

    def _notify(self, alerts: list[Json]) -> None:
        """Each to the receiver of the policies, by its contact points; only on loopback."""
        for alert in alerts:
            receiver = _receiver(self.grafana.state.tree, alert["labels"])
            self.sent.append((receiver, alert))
            body = {"receiver": receiver, "status": alert["status"], "alerts": [alert],
                    "version": "1", "groupKey": "{}", "truncatedAlerts": 0}  # fmt: skip
            for contact in list(self.grafana.state.contacts.values()):
                if contact["name"] == receiver and contact["type"] == "webhook":
                    self._post(contact["settings"], body)

    def _post(self, settings: Json, body: Json) -> None:
        if not settings["url"].startswith("http://127.0.0.1:"):
            return
        headers = {"Content-Type": "application/json"}
        if "authorization_credentials" in settings:
            scheme = settings["authorization_scheme"]
            headers["Authorization"] = f"{scheme} {settings['authorization_credentials']}"
        request = urllib.request.Request(settings["url"], json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.answers.append(answer.status)
        except HTTPError as error:
            self.answers.append(error.code)
        except URLError:
            self.answers.append(0)  # no drill is listening


def _values(result: Json) -> dict[Labels, float]:
    """The last number of each series, mode dropNN."""
    found = {}
    for one in result.get("series", []):
        numbers = [row[1] for row in one["values"] if row[1] is not None]
        if numbers:
            found[tuple(sorted(one["tags"].items()))] = float(numbers[-1])
    return found


def _breaches(condition: Json, value: float) -> bool:
    kind, params = condition["evaluator"]["type"], condition["evaluator"]["params"]
    if kind == "outside_range":
        return bool(value < params[0] or value > params[1])
    return bool(value > params[0] if kind == "gt" else value < params[0])


def _receiver(route: Json, labels: dict[str, str]) -> str:
    """The first policy that matches, and in it the first below it."""
    for below in route.get("routes", []):
        if all(_matches(*one, labels) for one in below.get("object_matchers", [])):
            return _receiver({"receiver": route["receiver"], **below}, labels)
    return str(route["receiver"])


def _matches(label: str, sign: str, value: str, labels: dict[str, str]) -> bool:
    found = labels.get(label, "")
    same = bool(re.fullmatch(value, found)) if "~" in sign else found == value
    return same != sign.startswith("!")


def _seconds(duration: Any) -> float:
    size = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
    return float(sum(int(n) * size[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration)))
