"""Bringing a Grafana to what we want of it: look, compare, act, one kind of resource at a time.

Everything has one owner. What we made carries our mark (a uid that begins with `twin-`, and a tag,
a label or the API's provenance); what provisioning files made is theirs; all else is somebody's
and is never changed, not even where it stands in our way: that is said instead.

Nothing is remembered between runs. Each step looks first, so that a run that was killed anywhere
is ended by the next one, and a run over what is right changes nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.grafana import Grafana, GrafanaBusyError, GrafanaRefusedError
from services.provision_compare import differs, unified

Json = dict[str, Any]
Owner = Literal["twin", "files", "others"]
Action = Literal["create", "update", "delete", "stale", "blocked", "files"]

ACTS: Final[frozenset[Action]] = frozenset({"create", "update", "delete"})
RACED: Final = frozenset({404, 409, 412})
"""Answers to a write that mean that what we looked at is no longer so: look again."""


@dataclass(frozen=True)
class Found:
    """What is there: the part that can be compared, whose it is, and what came with it."""

    body: Any
    owner: Owner = "twin"
    raw: Any = None
    reason: str = ""


@dataclass(frozen=True)
class Change:
    """One resource that is not as wanted, or that we leave alone, and why."""

    kind: str
    key: str
    action: Action
    found: Found | None = None
    wanted: Any = None
    reason: str = ""

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.action:<8}{self.kind} {self.key}{reason}"

    @property
    def is_drift(self) -> bool:
        """True for what `apply` would do, or would have to and may not."""
        return self.action in ACTS or self.action == "blocked"

    def diff(self) -> str:
        """The difference as `diff -u` prints it; empty where nothing would be done."""
        if self.action not in ACTS:
            return ""
        name = f"{self.kind.replace(' ', '-')}/{self.key}"
        return unified(name, self.found.body if self.found else None, self.wanted)


class Kind(ABC):
    """One kind of resource of a Grafana: what we want, what there is, how to change it.

    What is of a plain Kind stays for good, whoever put it there.
    """

    name: str

    def __init__(self, grafana: Grafana) -> None:
        self.grafana = grafana

    @abstractmethod
    def wanted(self) -> Mapping[str, Any]:
        """Key -> body of what shall be there."""

    @abstractmethod
    def found(self) -> Mapping[str, Found]:
        """Key -> what is there of ours, and what stands where ours shall be."""

    @abstractmethod
    def write(self, change: Change) -> None:
        """Create it, or where it was change.found bring it to what is change.wanted."""


class RemovableKind(Kind):
    """A kind of which `--prune` removes what is ours and no longer wanted."""

    @abstractmethod
    def remove(self, change: Change) -> None:
        """Delete something of ours."""


def changes_of(kind: Kind, *, prune: bool = False, adopt: bool = False) -> list[Change]:
    """What is not as wanted, in the order in which it is done; removals last."""
    wanted, found = kind.wanted(), kind.found()
    rows = []
    for key, body in wanted.items():
        there = found.get(key)
        if there is None:
            rows.append(Change(kind.name, key, "create", None, body))
        elif there.owner == "files":
            rows.append(Change(kind.name, key, "files", there, body, "kept by provisioning files"))
        elif there.owner == "others" and not (adopt and there.raw is not None):
            reason = there.reason or "there is one that is not ours; --adopt takes it over"
            rows.append(Change(kind.name, key, "blocked", there, body, reason))
        elif there.owner == "others" or differs(there.body, body):
            rows.append(Change(kind.name, key, "update", there, body))
    if not isinstance(kind, RemovableKind):
        return rows
    for key, there in found.items():
        if key not in wanted and there.owner == "twin":
            action: Action = "delete" if prune else "stale"
            reason = "" if prune else "no longer wanted; --prune removes it"
            rows.append(Change(kind.name, key, action, there, None, reason))
    return rows


def plan(kinds: Sequence[Kind], *, prune: bool = False, adopt: bool = False) -> list[Change]:
    """What `apply` would do; nothing is changed."""
    return [change for kind in kinds for change in changes_of(kind, prune=prune, adopt=adopt)]


def apply(
    kinds: Sequence[Kind],
    *,
    prune: bool = False,
    adopt: bool = False,
    tell: Callable[[Change], None] = lambda _: None,
) -> list[Change]:
    """Do it: kinds in their order, then removals in the reverse one. What was done or left.

    Raises GrafanaBusyError where Grafana stays busy, GrafanaRefusedError where it says no.
    """
    done: list[Change] = []

    def act(kind: Kind, *, removing: bool) -> None:
        for change in _settled(kind, prune, adopt, removing):
            done.append(change)
            tell(change)

    for kind in kinds:
        act(kind, removing=False)
    for kind in reversed(kinds):
        act(kind, removing=True)
    return done


def _settled(kind: Kind, prune: bool, adopt: bool, removing: bool) -> list[Change]:
    """Looks and acts until nothing of this kind is left to do; what was done, and what is left.

    A write whose answer was lost may have worked: only looking again tells.
    """
    acted: dict[str, Change] = {}
    patience = kind.grafana.patience
    for attempt in range(patience.attempts):
        rows = [
            change
            for change in changes_of(kind, prune=prune, adopt=adopt)
            if (change.action in {"delete", "stale"}) is removing
        ]
        waiting = [row for row in rows if row.action in ACTS and row.key not in acted]
        left = [row for row in rows if row.action not in ACTS]
        try:
            for change in waiting:
                _act(kind, change)
                acted[change.key] = change
        except (GrafanaBusyError, GrafanaRefusedError) as error:
            raced = isinstance(error, GrafanaBusyError) or error.status in RACED
            if not raced or attempt == patience.attempts - 1:
                raise
            patience.wait(attempt)
        else:
            return [*acted.values(), *left]
    return [*acted.values()]  # not reached: the last attempt returns or raises


def _act(kind: Kind, change: Change) -> None:
    if isinstance(kind, RemovableKind) and change.action == "delete":
        kind.remove(change)
    else:
        kind.write(change)
