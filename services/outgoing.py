"""What a simulator sends: batches to the ingester, parts of roll-ups to the first process."""

from dataclasses import dataclass

from services.plan import Plan
from services.rollup_parts import RollupPart, part_bytes
from services.topics import Topics
from services.watermark import Outbox, Owed
from twin.frames import FRAME_VERSION, ROLLUP_SHARD, FrameHeader, batch, rows_count, with_base


@dataclass(frozen=True)
class Outgoing:
    """Puts what is made into the outbox, and tells where what is in there goes."""

    plan: Plan
    outbox: Outbox

    @property
    def _topics(self) -> Topics:
        return Topics(self.plan.build.fleet.name)

    def add(
        self,
        shard: str,
        seq: int,
        frames: int,
        body: bytes,
        late: int,
        t_ns: int,
        lines: int | None = None,
    ) -> int:
        """One shard's batch of a tick: rows, how many frames they are, how many of them late.

        lines: rows of the body where they are known. Returns their number.
        """
        lines = rows_count(body) if lines is None else lines
        header = FrameHeader(
            v=FRAME_VERSION,
            fleet=self.plan.build.fleet.name,
            run=self.plan.run_id,
            shard=shard,
            seq=seq,
            base=self.outbox.base(shard, seq),
            t_ns=t_ns,
            frames=frames,
            lines=lines,
            crc32=0,
            late=late,
        )
        self.outbox.add(Owed(shard, seq, frames, batch(header, body, lines)))
        return lines

    def add_part(self, part: RollupPart) -> None:
        """What this process, not the first, gives to a roll-up."""
        self.outbox.add(Owed(ROLLUP_SHARD, part.seq, 0, part_bytes(part)))

    def is_part(self, owed: Owed) -> bool:
        """Whether this is a part of a roll-up, for the first process alone."""
        return self.plan.part[0] > 0 and owed.shard == ROLLUP_SHARD

    def topic(self, owed: Owed) -> str:
        """Where it goes."""
        if self.is_part(owed):
            return self._topics.part(str(self.plan.part[0]))
        return self._topics.telemetry(owed.shard)

    def payload(self, owed: Owed) -> bytes:
        """What goes there: parts as they are, batches with what is owed by now.

        What was owed when the batch was made may be stored since: a new ingester is told.
        """
        if self.is_part(owed):
            return owed.payload
        return with_base(owed.payload, self.outbox.base(owed.shard, owed.seq))
