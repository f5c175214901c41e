"""Retained last-known states of satellites: what a late subscriber hears at once."""

import numpy as np
import orjson

from twin.state import BoolArray, Fleet, FleetState


class LastKnown:
    """Which mode and host state of each satellite was told last."""

    def __init__(self, satellites_count: int) -> None:
        self._told = np.full((satellites_count, 2), -1)

    def changed(
        self, fleet: Fleet, state: FleetState, own: BoolArray, time_ns: int
    ) -> dict[str, bytes]:
        """Messages by satellite id, of every own (n,) satellite whose mode or host changed."""
        now = np.column_stack([state.mode, state.host_down_s > 0.0])
        changed = (now != self._told).any(axis=1) & own
        self._told = now
        return {
            fleet.satellite_ids[row]: _message(fleet, row, now[row, 0], now[row, 1], time_ns)
            for row in np.flatnonzero(changed).tolist()
        }


def _message(fleet: Fleet, row: int, mode: int, host: int, time_ns: int) -> bytes:
    return orjson.dumps(
        {
            "sat": fleet.satellite_ids[row],
            "name": fleet.satellite_names[row],
            "plane": fleet.planes[row],
            "preset": fleet.presets[row],
            "accelerator": fleet.accelerators[row],
            "report_interval_s": float(fleet.report_interval_s[row]),
            "eps_mode": int(mode),
            "obc_host_state": int(host),
            "t_ns": time_ns,
        }
    )
