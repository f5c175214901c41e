"""One fleet under watch: telemetry in, verdicts of the alert rules out, in simulated time.

Windows and waits are simulated time, so an accelerated run is judged like a slow one. An instant
is judged once every shard has said all it had to say up to then; where one has died, once the
clock is `GRACE_WALL_S` further. What is newer waits meanwhile: it must not be seen too early.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.batches import Batch
from services.console.simclock import NS, DataClock
from services.watch_rows import SERIES_LIMIT, Block, FleetRows
from twin.alert_rule import INTERVAL_S, Rule
from twin.alert_series import Breach
from twin.alert_states import Evaluator, Series, Transition
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.report_ages import ReportAges, watch_columns
from twin.state import BoolArray, FloatArray, IntArray

EVERY_NS = round(INTERVAL_S * NS)
GRACE_WALL_S = 2.0
REAL_TIME_RATE = 1.5
"""Up to this rate the wall clock says how much simulated time passes without a report."""
WAITING_ROWS_LIMIT = 1_000_000
BEHIND_LIMIT = 360
"""Instants that may be owed: an hour of simulated time. Older ones are left out and counted."""


@dataclass(frozen=True)
class Evaluation:
    """What was found at one instant."""

    time_ns: int
    transitions: list[Transition]
    ages: FloatArray  # (satellites, 2): age_s and late_s
    silence: FloatArray  # (2,): silent and reachable satellites
    breaches: list[Breach]  # of rules of single satellites


class FleetWatch:
    """The rules on one run of one fleet."""

    def __init__(self, fleet: str, rules: Sequence[Rule], wall_s: Callable[[], float]) -> None:
        """wall_s: a steady wall clock [s]."""
        self.fleet = fleet
        self.evaluator = Evaluator(Series(fleet, (), ()), rules)
        # Satellites are heard of by their reports, whatever the rules read of those.
        wanted = {BUS_MEASUREMENT: ()} | self.evaluator.fields
        self.rows = FleetRows(wanted)
        self.clock = DataClock(wall_s)
        self.ages = ReportAges()
        self.next_ns = 0  # the next instant to judge; 0 = nothing heard yet
        self.skipped = 0
        self._newest: dict[str, tuple[int, int]] = {}  # number and time by shard
        self._interval_ns: dict[str, int] = {}
        self._waiting: dict[int, list[Block]] = {}
        self._waiting_rows = 0
        self._plane_row: dict[str, int] = {}
        self._has_left: dict[str, bool] = {}  # by name of a simulator
        self._told: dict[str, tuple[bool, int]] = {}  # contact, of satellites not yet heard
        self._retired_ns: dict[int, int] = {}  # since when a satellite has left the fleet

    def hear(self, batch: Batch) -> None:
        """Take the rows of a checked batch; they wait until their instant is judged."""
        blocks = self.rows.read(batch.body)
        self._grow()
        if batch.key is not None:
            (_, _, shard), seq = batch.key
            self._heard_of(shard, seq, batch.time_ns)
        newest_ns = max([batch.time_ns, *(int(one.times_ns.max()) for one in blocks)])
        if newest_ns <= 0:
            return
        self.clock.saw(newest_ns)
        if self.next_ns == 0:
            self.next_ns = -(-newest_ns // EVERY_NS) * EVERY_NS
        for block in blocks:
            if block.measurement == BUS_MEASUREMENT:
                self._hear_ages(block)
            self._wait(block)

    def _hear_ages(self, block: Block) -> None:
        """Reports from before a satellite left do not bring it back."""
        rows, times_ns = block.rows, block.times_ns
        if self._retired_ns:
            since_ns = np.array([self._retired_ns.get(row, 0) for row in rows.tolist()])
            is_heard = times_ns >= since_ns
            rows, times_ns = rows[is_heard], times_ns[is_heard]
            for row in rows.tolist():
                self._retired_ns.pop(row, None)
        self.ages.hear(rows, times_ns, self.clock.newest_ns)

    def retire(self, satellites: Sequence[str], shards: Sequence[str], time_ns: int) -> None:
        """These satellites have left the fleet, and these shards say nothing more."""
        row_of = self.rows.series[BUS_MEASUREMENT].row_of
        rows = [row_of[name] for name in satellites if name in row_of]
        self._retired_ns |= dict.fromkeys(rows, time_ns)
        self.ages.retire(rows)
        for shard in shards:
            self._newest.pop(shard, None)

    def contact(self, satellite: str, is_on: bool, time_ns: int) -> None:
        """The ground says that a satellite came into contact or went out of it."""
        row = self.rows.series[BUS_MEASUREMENT].row_of.get(satellite)
        if row is not None:
            self.ages.contact([row], is_on, time_ns)
        elif len(self._told) < SERIES_LIMIT:
            self._told[satellite] = is_on, time_ns

    def simulator(self, name: str, has_left: bool) -> None:
        """A simulator of the fleet came, or said goodbye and owes no reports any more."""
        self._has_left[name] = has_left

    def due(self) -> list[int]:
        """The instants that can be judged now, oldest first [ns]."""
        if self.next_ns == 0:
            return []
        rate = max(self.clock.rate_or_real_time(), 1.0)
        until_ns = max(self._complete_ns(), self._now_ns(rate) - int(GRACE_WALL_S * rate * NS))
        if self._waiting_rows > WAITING_ROWS_LIMIT:
            until_ns = max(until_ns, self.clock.newest_ns)
        count = (until_ns - self.next_ns) // EVERY_NS + 1
        if count > BEHIND_LIMIT:
            self.skipped += count - BEHIND_LIMIT
            self.next_ns += (count - BEHIND_LIMIT) * EVERY_NS
        return list(range(self.next_ns, until_ns + 1, EVERY_NS))

    def evaluate(self, time_ns: int) -> Evaluation:
        """Judge an instant by everything that was measured up to it."""
        self._let_in(time_ns)
        ages = self.ages.at(time_ns)
        silence = self.ages.silence(ages)
        self.evaluator.observe(time_ns / NS, watch_columns(ages, silence))
        self.next_ns = time_ns + EVERY_NS
        transitions = self.evaluator.evaluate(time_ns / NS)
        breaches = self.evaluator.breaches("satellite")
        return Evaluation(time_ns, transitions, ages, silence, breaches)

    def _now_ns(self, rate: float) -> int:
        """Simulated time: the newest report, and the wall clock since then at real time.

        An accelerated simulation is where its newest report says, also while it waits for the
        store; and after every simulator has said goodbye nobody owes a report any more.
        """
        has_left = bool(self._has_left) and all(self._has_left.values())
        stands = has_left or rate > REAL_TIME_RATE
        return self.clock.newest_ns if stands else self.clock.now_ns()

    def _heard_of(self, shard: str, seq: int, time_ns: int) -> None:
        before_seq, before_ns = self._newest.get(shard, (-1, 0))
        if seq == before_seq + 1 and before_seq >= 0:
            self._interval_ns[shard] = time_ns - before_ns
        if seq > before_seq:
            self._newest[shard] = seq, time_ns

    def _complete_ns(self) -> int:
        """Up to here every shard has said what it had to say; 0 if none numbers its batches."""
        upto_ns = [
            newest_ns + max(self._interval_ns.get(shard, 1) - 1, 0)
            for shard, (_, newest_ns) in self._newest.items()
        ]
        return min(upto_ns, default=0)

    def _grow(self) -> None:
        """Room for satellites that were heard for the first time, and for their planes."""
        satellites = self.rows.series[BUS_MEASUREMENT]
        known = len(self.ages)
        if len(satellites.names) == known:
            return
        self.ages.grow(len(satellites.names))
        self.evaluator.add_satellites(satellites.names[known:], satellites.planes[known:])
        names = self.evaluator.series.plane_names
        self._plane_row = {name: row for row, name in enumerate(names)}
        for name in satellites.names[known:]:
            if name in self._told:
                self.contact(name, *self._told.pop(name))

    def _wait(self, block: Block) -> None:
        times_ns = np.unique(block.times_ns)
        for time_ns in times_ns.tolist():
            part = block
            if times_ns.size > 1:
                at = block.times_ns == time_ns
                part = Block(
                    block.measurement,
                    block.columns,
                    block.rows[at],
                    block.times_ns[at],
                    block.values[at],
                )
            self._waiting.setdefault(time_ns, []).append(part)
            self._waiting_rows += part.rows.size

    def _let_in(self, time_ns: int) -> None:
        for at_ns in sorted(one for one in self._waiting if one <= time_ns):
            for block in self._waiting.pop(at_ns):
                self._waiting_rows -= block.rows.size
                fields = self.rows.series[block.measurement].fields
                columns = {
                    fields[column]: block.values[:, index]
                    for index, column in enumerate(block.columns)
                }
                rows, known = self._evaluators_rows(block)
                self.evaluator.observe(
                    at_ns / NS,
                    {block.measurement: {name: cells[known] for name, cells in columns.items()}},
                    {block.measurement: rows[known]},
                )

    def _evaluators_rows(self, block: Block) -> tuple[IntArray, BoolArray]:
        """The evaluator's rows of a block's series, and which of them it knows."""
        rows = block.rows
        if block.measurement in {PLANE_MEASUREMENT, FLEET_MEASUREMENT}:
            names = self.rows.series[block.measurement].names
            own = {self.fleet: 0} if block.measurement == FLEET_MEASUREMENT else self._plane_row
            rows = np.array([own.get(names[row], -1) for row in rows.tolist()], dtype=np.int64)
        return rows, rows >= 0
