"""Every query there is, with what it promises: for tests, for the report, for other tools.

`python -m dashboards` prints the list as JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dashboards.panels import SERIES_LIMIT, DashboardSpec, QuerySpec


@dataclass(frozen=True)
class ListedQuery:
    """One query of a dashboard and who asks it."""

    dashboard: str  # uid
    kind: str  # panel, variable or annotation
    name: str  # key of the panel with the reference, or the name
    query: QuerySpec

    @property
    def key(self) -> str:
        """Unique among all queries."""
        return f"{self.dashboard}/{self.kind}/{self.name}"


def listed(boards: tuple[DashboardSpec, ...]) -> Iterator[ListedQuery]:
    """Queries of panels, variables and annotations, in the order of the dashboards."""
    for board in boards:
        for key, query in board.queries():
            yield ListedQuery(board.uid, "panel", f"{key}/{query.ref_id}", query)
        for variable in board.variables:
            query = QuerySpec(variable.query, result="table", columns=("key", "value"))
            yield ListedQuery(board.uid, "variable", variable.name, query)
        for one in board.annotations:
            yield ListedQuery(board.uid, "annotation", one.name, one.query)


def broken_promises(query: QuerySpec, answer: list[dict[str, object]]) -> list[str]:
    """What an answer lacks of what its query promises; `answer`: series as InfluxDB gives them.

    An answer has series, no more than declared, with the declared columns; each row of some
    series has something, and none of the columns is empty throughout.
    """
    if not answer:
        return ["no rows"]
    found = []
    limit = min(query.series_limit, SERIES_LIMIT)
    if len(answer) > limit:
        found.append(f"{len(answer)} series, at most {limit}")
    filled: set[str] = set()
    for one in answer:
        names, rows = one["columns"], one["values"]
        assert isinstance(names, list)
        assert isinstance(rows, list)
        columns = tuple(name for name in names if name != "time")
        if query.columns and columns != query.columns:
            found.append(f"columns {columns}, not {query.columns}")
        filled |= {
            name for index, name in enumerate(names) if any(row[index] is not None for row in rows)
        }
    found += [f"nothing in column {name}" for name in query.columns if name not in filled]
    return found
