"""Roll-ups of a run: made here from all satellites, or one part of them for the first process."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from services.plan import Plan
from services.rollup_journal import RollupJournal
from services.rollup_parts import Assembler, RollupPart
from twin.ledger import NOTHING, Carried, Ledger, fleet_rates
from twin.minutes import minute_of
from twin.rollup_minutes import RollupMinutes
from twin.rollups import (
    Columns,
    Tables,
    Taken,
    encode_rollup_columns,
    plane_groups,
    rollup_columns,
)
from twin.sensors import Snapshot
from twin.state import BoolArray, FloatArray

LOG = logging.getLogger(__name__)
ROLLUP_EVERY_S = 10.0


class FleetRollups:
    """What one process gives to the roll-ups, or the roll-ups themselves."""

    def __init__(self, plan: Plan, own: BoolArray, epoch_ns: int) -> None:
        """own: (n,) which satellites of this process's fleet it reports."""
        self._plan, self._own, self._epoch_ns = plan, own, epoch_ns
        self.parts = Assembler(plan.part[1])
        self.minutes = RollupMinutes(plan.build.fleet)
        self.ledger = Ledger(fleet_rates(plan.build.fleet), epoch_ns)
        self._journal: RollupJournal | None = None

    def move(self, plan: Plan, own: BoolArray, elapsed_s: float, left: Columns) -> None:
        """The fleet is another from an instant on; left: ledger columns of those that leave."""
        self._plan, self._own = plan, own
        self.minutes = self.minutes.moved(plan.build.fleet)
        self.ledger = self.ledger.changed(fleet_rates(plan.build.fleet), elapsed_s, left)

    def saved(self) -> dict[str, FloatArray]:
        """Arrays for a checkpoint, of the fleet as a whole."""
        whole = self.minutes.saved()
        if self.ledger.carried != NOTHING:
            whole["ledger_carried"] = np.array(self.ledger.carried)
        return whole

    def restore(self, saved: Mapping[str, FloatArray]) -> None:
        """Go on from what `saved` gave. Raises KeyError where it lacks a part."""
        self.minutes.restore(saved)
        if "ledger_carried" in saved:
            carried = Carried(*saved["ledger_carried"].tolist())
            self.ledger = replace(self.ledger, carried=carried)

    def keep_in(self, path: Path) -> None:
        """Where the first of several processes keeps what minutes need after a restart."""
        index, count = self._plan.part
        if index == 0 and count > 1:
            planes, _ = plane_groups(self._plan.build.fleet.planes)
            self._journal = RollupJournal(path, self._plan.run_id, len(planes))

    @property
    def ticks(self) -> int:
        """Ticks from one roll-up to the next."""
        return max(1, round(ROLLUP_EVERY_S / self._plan.scenario.step_s))

    def time_ns(self, seq: int) -> int:
        """Simulated time of a roll-up."""
        return self._epoch_ns + round(seq * self.ticks * self._plan.scenario.step_s * 1e9)

    def make(self, seen: Snapshot, seq: int, taken: Taken = ()) -> bytes | RollupPart:
        """The body of a roll-up; where there are other processes, this one's part of it.

        taken: what this tick's reports have read already.
        """
        index, count = self._plan.part
        if count == 1:
            return self.encoded(rollup_columns(seen, np.arange(seen.fleet.count), taken), seq)
        columns = rollup_columns(seen, np.flatnonzero(self._own), taken)
        return RollupPart(self._plan.run_id, seq, index, columns)

    def encoded(self, columns: Columns, seq: int) -> bytes:
        """One roll-up of all satellites, and the minute that is over with it."""
        time_ns, finished = self.time_ns(seq), b""

        def note(tables: Tables) -> None:
            nonlocal finished
            finished = self.minutes.add(time_ns, tables)
            if self._journal is not None:
                self._journal.add(seq, tables)

        fleet = self._plan.build.fleet
        body = encode_rollup_columns(fleet, columns, time_ns, self.ledger, note)
        return body + finished

    def settle(self, stored_seq: int) -> None:
        """Stored up to here: nobody owes these roll-ups or parts of them any more.

        A process that was started again did not make them all: their minute goes on from the
        journal, and is left out where that lacks one of them.
        """
        before = self.parts.next_seq
        self.parts.settle(stored_seq)
        if self.parts.next_seq == before or self._plan.part[1] == 1:
            return
        known = self._journal.tables() if self._journal else {}
        self.minutes.forget()
        for seq in range(self._first_of_minute(stored_seq), stored_seq + 1):
            if seq not in known:
                LOG.warning("roll-up %d is not in the journal: its minute is left out", seq)
                self.minutes.leave_out(self.time_ns(stored_seq))
                return
            self.minutes.add(self.time_ns(seq), known[seq])

    def _first_of_minute(self, seq: int) -> int:
        minute = minute_of(self.time_ns(seq))
        while seq > 0 and minute_of(self.time_ns(seq - 1)) == minute:
            seq -= 1
        return seq
