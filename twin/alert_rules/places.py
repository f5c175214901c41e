"""What rules of several subsystems share: places on dashboards and conditions of sunlight."""

from typing import Final

from twin.alert_conditions import Comparison, Reading, Threshold
from twin.alert_rule import Dashboard

FULL_SUN: Final = Comparison(
    Reading("orb_sunlit_frac", "min"),
    above=Threshold(0.999, "no shadow in the whole window (definition)"),
)
"""The satellite was in full sunlight during the whole window."""

FEW: Final = Threshold(1.5, "more than one satellite (definition)")
"""A share of a small fleet is not a storm because of one satellite."""


def strip(channel: str) -> Dashboard:
    """The channel's own strip on the page of one satellite."""
    return Dashboard("twin-satellite", f"strip-{channel}")


STATES: Final = Dashboard("twin-satellite", "states")
"""States and modes of one satellite on a time line."""
