"""What Grafana says during a live drill: its notifications and the states of its rules.

Two ways to the same facts, since neither is enough: a webhook gives the instants at which an alert
began and ended, but only of what a policy routes here and at most 50 alerts at a time; the rules'
states have them all, and say up to when Grafana has looked. Alerts are known by our own label
`rule`, the series' labels and the instant they began (`startsAt`, `activeAt`), so what is told
twice, by one way or both, counts once.
"""

import asyncio
import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from aiohttp import web

from dashboards.routes import OWNER, OWNER_LABEL
from services.drill_watched import Changes
from services.grafana import Grafana, GrafanaBusyError, Patience
from services.grafana_settings import GrafanaSettings
from services.http_site import Site
from services.notifications import Inbox, notifications_app
from services.settings import LOOPBACK, host_and_port
from twin.alert_rule import INTERVAL_S
from twin.errors import ConfigurationError, DependencyUnavailableError, Problem

_T = TypeVar("_T")
_Key = tuple[str, tuple[tuple[str, str], ...]]
STATES_PATH: Final = "/prometheus/grafana/api/v1/rules"
POLL_EVERY_S: Final = 2.0
PATIENCE: Final = Patience(attempts=3)
FIRING: Final = frozenset({"alerting", "firing", "recovering"})
SAME_S: Final = INTERVAL_S / 2.0
"""Two beginnings of one alert that are closer are one: a rule is looked at every 10 s."""


@dataclass
class Told:
    """Alerts of one fleet as Grafana tells of them, as changes for the score.

    `behind_s` is how far simulated time is behind Grafana's clock; times of the changes are
    simulated.
    """

    changes: Changes
    rules: Mapping[str, Sequence[str]]  # name -> labels of its series
    fleet: str
    epoch_unix_s: float
    behind_s: float = 0.0
    found: frozenset[str] = frozenset()
    """Rules of ours that Grafana has."""
    ill: dict[str, str] = field(default_factory=dict)
    """Rules whose query fails, and why."""
    _begun_s: dict[_Key, list[float]] = field(default_factory=dict)
    _open: dict[_Key, float] = field(default_factory=dict)

    def notified(self, alert: Mapping[str, Any]) -> None:
        """One alert of a webhook. Raises KeyError, TypeError or ValueError for no such thing."""
        key, from_s = self._key(alert["labels"]), _unix_s(alert["startsAt"])
        if key is None:
            return
        self._begins(key, from_s)
        if alert["status"] == "resolved":
            self._ends(key, from_s, _unix_s(alert["endsAt"]))

    def polled(self, answer: Mapping[str, Any]) -> None:
        """The states of all rules. Raises KeyError, TypeError or ValueError for no such thing."""
        looked_s = math.inf
        found = set()
        for rule in (rule for group in answer["data"]["groups"] for rule in group["rules"]):
            labels = rule.get("labels") or {}
            name = labels.get("rule", "")
            if labels.get(OWNER_LABEL) != OWNER or name not in self.rules:
                continue
            found.add(name)
            self._health(name, rule)
            at_s = _unix_s(rule.get("lastEvaluation") or "")
            looked_s = min(looked_s, at_s)
            self._states(name, rule.get("alerts") or [], at_s)
        self.found = frozenset(found)
        if math.isfinite(looked_s):
            self.changes.judged_s = max(self.changes.judged_s, self._elapsed_s(looked_s))

    def _states(self, name: str, alerts: Sequence[Mapping[str, Any]], looked_s: float) -> None:
        """One rule's alerts; one that fired and is no longer among them has ended."""
        firing = set()
        for alert in alerts:
            key = self._key({**alert["labels"], "rule": name})
            state = str(alert["state"]).split(" (")[0].lower()
            if key is None or state not in FIRING:
                continue
            firing.add(key)
            if state != "recovering" or key not in self._open:  # then its start is another one
                self._begins(key, _unix_s(alert["activeAt"]))
        for key in [one for one in self._open if one[0] == name and one not in firing]:
            if looked_s > self._open[key] + SAME_S:  # else the states are older than a webhook
                self._ends(key, self._open[key], looked_s)

    def _health(self, name: str, rule: Mapping[str, Any]) -> None:
        if str(rule.get("health", "")) in {"error", "err"}:
            self.ill.setdefault(name, " ".join(str(rule.get("lastError") or "").split())[:200])

    def _key(self, labels: Mapping[str, Any]) -> _Key | None:
        """Rule and series; None for what is not of this fleet, or no rule of ours."""
        name = str(labels.get("rule", ""))
        if name not in self.rules:
            self.changes.unknown += 1
            return None
        if labels.get("fleet") != self.fleet:
            return None
        return name, tuple((tag, str(labels[tag])) for tag in self.rules[name] if tag in labels)

    def _begins(self, key: _Key, at_s: float) -> None:
        known = self._begun_s.setdefault(key, [])
        if any(abs(at_s - one) < SAME_S for one in known):
            return
        known.append(at_s)
        self._open[key] = at_s
        self._change(key, at_s, "Pending", "Alerting")

    def _ends(self, key: _Key, from_s: float, at_s: float) -> None:
        open_s = self._open.get(key, math.nan)
        if abs(open_s - from_s) < SAME_S:
            del self._open[key]
            self._change(key, at_s, "Alerting", "Normal")

    def _change(self, key: _Key, at_s: float, before: str, after: str) -> None:
        self.changes.take(self._elapsed_s(at_s), key[0], dict(key[1]), before, after, "", None)

    def _elapsed_s(self, unix_s: float) -> float:
        return unix_s - self.behind_s - self.epoch_unix_s


@dataclass
class GrafanaWatch:
    """Hears Grafana's webhooks and asks for its states for as long as a drill runs."""

    settings: GrafanaSettings
    needed: Sequence[str] = ()
    """Rules that must be there, or nothing is broken at all."""
    patience: Patience = PATIENCE
    poll_every_s: float = POLL_EVERY_S
    rate: float = 1.0
    """Simulated seconds in one of Grafana's; anything but 1 is a stand-in's."""
    told: Told = field(init=False)
    has_looked: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigurationError for an address that is not one, or is open without a token."""
        self.address = host_and_port(self.settings.drill_listen, "TWIN_DRILL_LISTEN")
        if self.address[0] not in LOOPBACK and self.settings.drill_token is None:
            message = f"{self.address[0]} is not a loopback address; a token is needed there"
            raise ConfigurationError(
                [Problem("environment", None, "TWIN_DRILL_TOKEN_FILE", message)]
            )

    async def beside(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do some work and hear meanwhile; what Grafana refuses ends the work.

        Raises what the work does, ConfigurationError, GrafanaRefusedError and
        DependencyUnavailableError.
        """
        doing = asyncio.ensure_future(work)
        hearing = asyncio.ensure_future(self._hear())
        try:
            await asyncio.wait({doing, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                hearing.result()
            return await doing
        finally:
            for task in (doing, hearing):
                task.cancel()
            await asyncio.gather(doing, hearing, return_exceptions=True)

    async def _hear(self) -> None:
        token = self.settings.drill_token
        inbox = Inbox(on_alert=self.told.notified)
        app = notifications_app(inbox, "" if token is None else token.get_secret_value())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                site = Site(runner, *self.address)
                await site.start()
            except OSError as error:
                where = f"TWIN_DRILL_LISTEN {self.settings.drill_listen}"
                raise DependencyUnavailableError(f"{where}: {error.strerror}") from None
            with Grafana(self.settings, self.patience) as door:
                while True:
                    await self._look(door)
                    await asyncio.sleep(self.poll_every_s)
        finally:
            await runner.cleanup()

    async def _look(self, door: Grafana) -> None:
        try:
            answer = await asyncio.to_thread(door.get, STATES_PATH)
        except GrafanaBusyError:
            if self.has_looked:  # it may come back; a drill that hears nothing ends by itself
                return
            raise
        try:
            self.told.polled(answer)
        except (KeyError, TypeError, ValueError) as error:
            place = f"grafana {door.url}: GET /api{STATES_PATH}"
            raise DependencyUnavailableError(f"{place}: not states of rules: {error!r}") from None
        missing = sorted(set(self.needed) - self.told.found)
        if missing:
            names = ", ".join(missing)
            raise DependencyUnavailableError(
                f"grafana {door.url}: no rule {names}; use `twin provision apply`"
            )
        self.has_looked = True


def _unix_s(text: str) -> float:
    """Seconds since 1970 of an instant as Go prints it; its year 1 is -inf. Raises ValueError."""
    if not text or text.startswith("0001-"):
        return -math.inf
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r}: no time zone")
    return moment.timestamp()
