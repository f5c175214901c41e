"""Which run of a simulator is being heard, so that an ended run is not mixed with its successor."""

from collections import deque
from typing import Any

import orjson

from twin.frames import HEADER_PREFIX

FLEETS_LIMIT = 64
RUNS_REMEMBERED = 256


class Runs:
    """The current run of every fleet, by the header lines of the batches."""

    def __init__(self) -> None:
        self._run_of_fleet: dict[str, str] = {}
        self._seen: deque[str] = deque(maxlen=RUNS_REMEMBERED)

    def judge(self, payload: bytes) -> str:
        """`current`; `new` when a fleet started a run after another; `ended` for an old run."""
        header = batch_header(payload)
        fleet, run = header.get("fleet"), header.get("run")
        if not isinstance(fleet, str) or not isinstance(run, str):
            return "current"
        before = self._run_of_fleet.get(fleet)
        if before == run:
            return "current"
        if run in self._seen or (before is None and len(self._run_of_fleet) >= FLEETS_LIMIT):
            return "ended"
        self._seen.append(run)
        self._run_of_fleet[fleet] = run
        return "current" if before is None else "new"


def batch_header(payload: bytes) -> dict[str, Any]:
    """The batch's header; empty when there is none. Checking it is the ingester's work."""
    if not payload.startswith(HEADER_PREFIX):
        return {}
    try:
        header = orjson.loads(payload[len(HEADER_PREFIX) : payload.find(b"\n")])
    except orjson.JSONDecodeError:
        return {}
    return header if isinstance(header, dict) else {}
