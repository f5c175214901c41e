"""What a measured error is: which function is off by how much of what, against whom."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One number, found when `value` is called, and the bound that a test holds it to."""

    function: str
    what: str
    unit: str
    against: str
    value: Callable[[], float]
    bound: float
