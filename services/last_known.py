"""Retained last-known states of satellites: what a late subscriber hears at once."""

import numpy as np
import orjson

from twin.state import BoolArray, Fleet, FleetState, IntArray


class LastKnown:
    """Which mode and host state of each satellite was told last, and its contact."""

    def __init__(self, satellites_count: int, has_contact: bool = False) -> None:
        """has_contact: tell contact too, where reports wait on board for it."""
        self._told = np.full((satellites_count, 3), -1)
        self._has_contact = has_contact

    def moved(self, before: IntArray) -> None:
        """The fleet is another; before: (n,) row of each until now, -1 of a new one."""
        told = np.full((before.size, 3), -1)
        told[before >= 0] = self._told[before[before >= 0]]
        self._told = told

    def changed(
        self, fleet: Fleet, state: FleetState, own: BoolArray, time_ns: int
    ) -> dict[str, bytes]:
        """Messages by satellite id, of every own (n,) satellite of which any changed."""
        contact = (state.ground_station_index >= 0) & self._has_contact
        now = np.column_stack([state.mode, state.host_down_s > 0.0, contact])
        changed = (now != self._told).any(axis=1) & own
        self._told = now
        return {
            fleet.satellite_ids[row]: _message(
                fleet, row, now[row].tolist(), time_ns, self._has_contact
            )
            for row in np.flatnonzero(changed).tolist()
        }


def _message(fleet: Fleet, row: int, told: list[int], time_ns: int, has_contact: bool) -> bytes:
    mode, host, contact = told
    return orjson.dumps(
        {
            "sat": fleet.satellite_ids[row],
            "name": fleet.satellite_names[row],
            "plane": fleet.planes[row],
            "preset": fleet.presets[row],
            "accelerator": fleet.accelerators[row],
            "report_interval_s": float(fleet.report_interval_s[row]),
            "eps_mode": mode,
            "obc_host_state": host,
            "t_ns": time_ns,
        }
        | ({"gnd_contact": contact} if has_contact else {})
    )
