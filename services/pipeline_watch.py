"""The rules about the pipeline itself, on what its processes count: wall time, from the store."""

import logging
from collections.abc import Sequence

import numpy as np

from services.alert_book import AlertBook
from services.console.simclock import NS
from services.ops_rows import OpsRow, ops_rows
from services.store import RejectedRowsError, Store, StoreUnavailableError
from services.watch_output import Output
from twin.alert_conditions import OPS_MEASUREMENT
from twin.alert_rule import Rule
from twin.alert_states import Evaluator, Series

LOG = logging.getLogger(__name__)
PIPELINE = "all"
"""The fleet under whose name the pipeline's alerts are shown: services are on that lane too."""
OVERLAP_NS = 15 * NS
"""Rows may come to the store later than their stamp says; asked again, they change nothing."""


class PipelineWatch:
    """The rules on measurement `ops`."""

    def __init__(self, rules: Sequence[Rule], output: Output) -> None:
        self.rules = rules
        self.output = output
        self.book = AlertBook(PIPELINE, "", rules)
        self.evaluator = Evaluator(Series("", (), ()), rules)
        self.failures = 0
        self._seen: dict[tuple[str, str], int] = {}  # newest time of each process [ns]

    async def evaluate(self, store: Store, now_s: float) -> None:
        """Ask the store for what is new, judge, and tell; an answer that fails is an Error."""
        now_ns = round(now_s * NS)
        fields = self.evaluator.fields.get(OPS_MEASUREMENT, ())
        first_ns = round(max((r.condition.window_s for r in self.rules), default=0.0) * NS)
        start_ns = max(self._seen.values(), default=now_ns - first_ns) - OVERLAP_NS
        errors: tuple[str, ...] = ()
        try:
            self._take(await ops_rows(store, fields, start_ns, now_ns))
        except (StoreUnavailableError, RejectedRowsError) as error:
            self.failures += 1
            errors = tuple(rule.name for rule in self.rules)
            LOG.debug("ops: %s", error)
        changes = self.book.take(self.evaluator.evaluate(now_s, errors), now_s)
        self.book.refresh(lambda name: self.evaluator.state(name).value)
        self.output.add(PIPELINE, changes, now_ns)
        self.output.show(PIPELINE, self.book.snapshot(now_ns))

    def _take(self, rows: Sequence[OpsRow]) -> None:
        for row in rows:
            process = row.service, row.instance
            if row.time_ns <= self._seen.get(process, 0):
                continue
            self._seen[process] = row.time_ns
            self.evaluator.add_services([process])
            at = np.array([self.evaluator.series.services.index(process)])
            columns = {name: np.array([value]) for name, value in row.fields.items()}
            self.evaluator.observe(
                row.time_ns / NS, {OPS_MEASUREMENT: columns}, {OPS_MEASUREMENT: at}
            )
