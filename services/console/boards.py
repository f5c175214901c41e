"""Dashboards in the console: the specifications that Grafana gets, and answers to their queries.

A browser names a query by its key and gives values for the variables; no query comes from it.
"""

from dataclasses import asdict
from functools import cache
from typing import Any, Final, Protocol

import orjson

from dashboards.build import dashboards
from dashboards.panels import DashboardSpec, FieldStyle, PanelSpec
from dashboards.query_list import ListedQuery, listed
from dashboards.shapes import MINUTES, of_database
from services.shape_sql import Moment, Series
from services.store import EmbeddedStore, InfluxStore
from twin.alert_conditions import OPS_MEASUREMENT
from twin.frames import TAG_VALUE

POINTS: Final = 240
LEAST_EVERY_NS: Final = 10 * 10**9
MINUTE_NS: Final = 60 * 10**9
VARIABLES: Final = ("fleet", "plane", "sat")


class BoardStore(Protocol):
    """What answers a listed query."""

    async def answer(self, one: ListedQuery, moment: Moment) -> list[Series]:
        """Series as InfluxDB gives them. Raises StoreUnavailableError or RejectedRowsError."""


class UnknownQueryError(ValueError):
    """A key or a value that nobody may ask with."""


@cache
def boards_spec() -> list[dict[str, Any]]:
    """Every dashboard as the page draws it, JSON-ready."""
    return [_board(board) for board in dashboards()]


def _board(board: DashboardSpec) -> dict[str, Any]:
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "variables": [one.name for one in board.variables],
        "minutes": minutes_of(board.time_from.removeprefix("now-")),
        "panels": [_panel(board.uid, panel) for panel in board.panels],
    }


def minutes_of(text: str) -> int:
    """`30m`, `3h` or `7d` in minutes."""
    return int(text[:-1]) * {"m": 1, "h": 60, "d": 1440}[text[-1]]


def _panel(uid: str, panel: PanelSpec) -> dict[str, Any]:
    hidden = panel.organise.hidden if panel.organise else ()
    return {
        "key": panel.key,
        "kind": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "grid": asdict(panel.grid),
        "style": _style(panel.style),
        "overrides": {one.name: _style(one) for one in panel.overrides},
        "queries": [
            {"key": f"{uid}/panel/{panel.key}/{query.ref_id}", "columns": query.columns}
            for query in panel.queries
        ],
        "hidden": hidden,
        "order": panel.organise.order if panel.organise else (),
        "layers": [asdict(layer) for layer in panel.layers],
        "stacked": panel.stacked,
        "sort_by": panel.sort_by,
        "sort_descending": panel.sort_descending,
        "minutes": minutes_of(panel.time_from) if panel.time_from else 0,
        "no_value": panel.no_value,
    }


def _style(style: FieldStyle) -> dict[str, Any]:
    return {key: value for key, value in asdict(style).items() if value not in (None, (), False)}


@cache
def _by_key() -> dict[str, ListedQuery]:
    return {one.key: one for one in listed(dashboards()) if one.query.shape is not None}


def query_of(key: str) -> ListedQuery:
    """The query of this key. Raises UnknownQueryError."""
    found = _by_key().get(key)
    if found is None:
        raise UnknownQueryError("query: no dashboard asks that")
    return found


def is_of_services(one: ListedQuery) -> bool:
    """Whether rows have the wall clock's time and not the fleet's."""
    return getattr(one.query.shape, "measurement", "") == OPS_MEASUREMENT


def checked(values: dict[str, str]) -> dict[str, str]:
    """Values of variables that may stand in a query. Raises UnknownQueryError."""
    for name, value in values.items():
        if not TAG_VALUE.fullmatch(value) or len(value) > 96:
            raise UnknownQueryError(f"{name}: letters, digits and _ . : - only")
    return values


def moment_of(values: dict[str, str], stop_ns: int, minutes: int) -> Moment:
    """What is asked for: so many minutes up to a time, in at most POINTS intervals."""
    span_ns = minutes * MINUTE_NS
    every_ns = max(LEAST_EVERY_NS, span_ns // POINTS // 10**9 * 10**9)
    return Moment(checked(values), stop_ns - span_ns, stop_ns, every_ns)


def filled(text: str, moment: Moment) -> str:
    """InfluxQL of one moment; nothing of Grafana's macros is left."""
    for name in VARIABLES:
        text = text.replace(f"${{{name}:raw}}", moment.values.get(name, ""))
    during = f"time >= {moment.start_ns} AND time <= {moment.stop_ns}"
    every = f"{moment.every_ns // 10**9}s"
    return text.replace("$timeFilter", during).replace("$__interval", every)


async def answered(store: object, one: ListedQuery, moment: Moment) -> list[Series]:
    """A query's series from whichever store there is.

    Raises StoreUnavailableError, RejectedRowsError, or UnknownQueryError for a stand-in.
    """
    if isinstance(store, InfluxStore):
        minutes = getattr(one.query.shape, "measurement", "") in MINUTES
        text = of_database(one.query.text, "")
        return await store.query(filled(text, moment), minutes=minutes)
    if isinstance(store, EmbeddedStore):
        question = {
            "key": one.key,
            "start_ns": str(moment.start_ns),
            "stop_ns": str(moment.stop_ns),
            "every_ns": str(moment.every_ns),
            **moment.values,
        }
        found: list[Series] = orjson.loads(await store.ask("/shape", question))
        return found
    if hasattr(store, "answer"):
        board: BoardStore = store
        return await board.answer(one, moment)
    raise UnknownQueryError("this console has no store for dashboards")
