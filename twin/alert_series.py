"""What the alert evaluator speaks of: states, versions of Grafana, series, transitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from twin.alert_conditions import (
    FLEET_WATCH_MEASUREMENT,
    OPS_MEASUREMENT,
    TAGS,
    WATCH_MEASUREMENT,
)
from twin.alert_rule import Rule
from twin.channels import BUS_MEASUREMENT, FLEET_MEASUREMENT, PLANE_MEASUREMENT
from twin.state import FloatArray, IntArray

STATES: Final = ("Normal", "Pending", "Alerting", "Recovering", "NoData", "Error")
"""Names by code, Grafana's."""
NORMAL, PENDING, ALERTING, RECOVERING, NO_DATA, ERROR = range(6)
REASONS: Final = ("", "NoData", "Error", "MissingSeries")

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Semantics:
    """What a version of Grafana does."""

    name: str
    keeps_firing: bool  # keepFiringFor is honoured
    recovers: bool  # unloadEvaluator is honoured
    no_data_to_all: bool  # NoData as OK or Alerting goes to every known series
    missing_evals: bool  # missing_series_evals_to_resolve is honoured


GRAFANA_12: Final = Semantics("12.4.11", True, True, True, True)
GRAFANA_9: Final = Semantics("9.4.17", False, False, False, False)


class Transition(NamedTuple):
    """One change of one series' state."""

    time_s: float
    rule: Rule
    labels: Labels  # of the series; empty for NoData and Error of the rule itself
    row: int  # of the series in its measurement; -1 where labels are empty
    before: str
    after: str
    reason: str
    value: float  # compared and shown; nan where nothing is known
    since_s: float  # when `after` began

    @property
    def fires(self) -> bool:
        """True where an alert begins: a notification goes out."""
        return self.after == "Alerting" and self.before != "Recovering"

    @property
    def resolves(self) -> bool:
        """True where an alert ends."""
        return self.after == "Normal" and self.before in {"Alerting", "Recovering"}


class RuleState(NamedTuple):
    """One rule's view of every series, (n,) each."""

    state: IntArray  # index into STATES
    since_s: FloatArray  # nan before the first change
    value: FloatArray  # at the last evaluation


class Breach(NamedTuple):
    """The series of one rule that its query would return at an instant, and their values, (r,)."""

    rule: Rule
    rows: IntArray
    value: FloatArray


@dataclass
class Series:
    """The series of each measurement: what is evaluated, in the order of the columns."""

    fleet: str
    satellite_ids: tuple[str, ...]
    planes: tuple[str, ...]  # of each satellite, (n,)
    services: tuple[tuple[str, str], ...] = ()  # (service, instance)
    _plane_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._plane_names = tuple(sorted(set(self.planes)))

    @property
    def plane_names(self) -> tuple[str, ...]:
        """Planes in the order of plane_state's columns (sorted, as twin.rollups has them)."""
        return self._plane_names

    def add_satellites(self, satellite_ids: Sequence[str], planes: Sequence[str]) -> None:
        """Satellites that were not known before, and their planes, behind those that are.

        Rows that were given out stay as they are, so planes that are added are not sorted in.
        """
        self.satellite_ids = (*self.satellite_ids, *satellite_ids)
        self.planes = (*self.planes, *planes)
        self._plane_names = tuple(dict.fromkeys((*self._plane_names, *planes)))

    @property
    def counts(self) -> dict[str, int]:
        """Series of each measurement."""
        satellites = len(self.satellite_ids)
        return {
            BUS_MEASUREMENT: satellites,
            WATCH_MEASUREMENT: satellites,
            PLANE_MEASUREMENT: len(self._plane_names),
            FLEET_MEASUREMENT: 1,
            FLEET_WATCH_MEASUREMENT: 1,
            OPS_MEASUREMENT: len(self.services),
        }

    def labels(self, measurement: str, row: int) -> dict[str, str]:
        """Tags of one series."""
        if measurement == OPS_MEASUREMENT:
            return dict(zip(TAGS[measurement], self.services[row], strict=True))
        if measurement == PLANE_MEASUREMENT:
            return {"fleet": self.fleet, "plane": self._plane_names[row]}
        if measurement in {FLEET_MEASUREMENT, FLEET_WATCH_MEASUREMENT}:
            return {"fleet": self.fleet}
        return {"fleet": self.fleet, "plane": self.planes[row], "sat": self.satellite_ids[row]}
