"""Who is in the live picture: ids, planes and presets, discovered from what arrives."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.console.lines import ID_PATTERN, TEXT_PATTERN

SATELLITES_LIMIT = 50_000
STATE_LIMIT_BYTES = 64 * 1024
STATE_TEXTS = ("name", "preset", "plane", "accelerator", "vendor", "operator")
STATE_NUMBERS = ("accel_count", "report_interval_s")


@dataclass
class Satellite:
    """What is known of one satellite that telemetry values do not say."""

    satellite_id: str
    plane: str = ""
    name: str = ""
    preset: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    raw: bytes = b""  # fields and timestamp of the last line
    accelerators: dict[str, bytes] = field(default_factory=dict)  # the same per accelerator

    def description(self) -> "Satellite":
        """The same satellite without what it reported."""
        return Satellite(self.satellite_id, self.plane, self.name, self.preset, self.details)


class Roster:
    """Rows of the live picture; grows as satellites appear, never beyond its limit."""

    def __init__(
        self, satellites_limit: int = SATELLITES_LIMIT, before: "Roster | None" = None
    ) -> None:
        self.satellites: list[Satellite] = []
        self.version = 0
        self._row: dict[str, int] = {}
        self._limit = satellites_limit
        # Retained states outlive the fleet that sent them, and come before its first report. So
        # they never admit a satellite; what they say waits here until telemetry does.
        self._told: dict[str, Satellite] = {}
        if before is not None:
            heard = {s.satellite_id: s.description() for s in before.satellites}
            everything = before._told | heard
            self._told = everything if len(everything) <= satellites_limit else heard

    def __len__(self) -> int:
        return len(self.satellites)

    def row(self, satellite_id: str) -> int | None:
        """Row of a known satellite."""
        return self._row.get(satellite_id)

    def find(self, satellite_id: str) -> Satellite | None:
        """A known satellite."""
        row = self._row.get(satellite_id)
        return None if row is None else self.satellites[row]

    def admit(self, satellite_id: str, plane: str = "") -> int | None:
        """Row of a satellite, new or known; None when the id is unfit or the roster is full."""
        row = self._row.get(satellite_id)
        if row is not None:
            if plane and self.satellites[row].plane != plane and TEXT_PATTERN.match(plane):
                self.satellites[row].plane = plane
                self.version += 1
            return row
        unfit = not ID_PATTERN.match(satellite_id) or not TEXT_PATTERN.match(plane)
        if unfit or len(self.satellites) >= self._limit:
            return None
        self._row[satellite_id] = row = len(self.satellites)
        told = self._told.get(satellite_id, Satellite(satellite_id))
        self.satellites.append(
            Satellite(satellite_id, plane or told.plane, told.name, told.preset, told.details)
        )
        self.version += 1
        return row

    def without(self, satellites: Collection[str]) -> "Roster":
        """The same without some satellites, the others in their order."""
        found = Roster(self._limit)
        found._told = {name: one for name, one in self._told.items() if name not in satellites}
        found.satellites = [one for one in self.satellites if one.satellite_id not in satellites]
        found._row = {one.satellite_id: row for row, one in enumerate(found.satellites)}
        found.version = self.version + 1
        return found

    def describe(self, satellite_id: str, payload: bytes | Mapping[str, Any]) -> bool:
        """Take a retained state message (JSON object); False when it is not usable."""
        state = _state(payload)
        if state is None or not ID_PATTERN.match(satellite_id):
            return False
        satellite = self.find(satellite_id) or self._told.get(satellite_id)
        if satellite is None:
            if len(self._told) >= self._limit:
                return False
            satellite = self._told[satellite_id] = Satellite(satellite_id)
        known = {key: state[key] for key in STATE_TEXTS if _is_text(state.get(key))}
        known |= {key: state[key] for key in STATE_NUMBERS if _is_number(state.get(key))}
        before = (satellite.name, satellite.preset, satellite.plane)
        satellite.name = known.get("name", satellite.name)
        satellite.preset = known.get("preset", satellite.preset)
        satellite.plane = known.get("plane", satellite.plane)
        satellite.details |= known
        if satellite_id in self._row and before != (
            satellite.name,
            satellite.preset,
            satellite.plane,
        ):
            self.version += 1
        return True


def _state(payload: bytes | Mapping[str, Any]) -> Mapping[str, Any] | None:
    if isinstance(payload, Mapping):
        return payload
    if not payload or len(payload) > STATE_LIMIT_BYTES:
        return None
    try:
        state = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return state if isinstance(state, dict) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(TEXT_PATTERN.match(value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
