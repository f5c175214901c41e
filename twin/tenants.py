"""Who shares the fleet: tenants, what they run, and which satellites step together for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]
_IntArray = NDArray[np.int64]

TENANT_KINDS: Final = ("inference", "batch", "training")
PRODUCTS: Final = ("text", "image")
GROUPINGS: Final = ("satellite", "plane", "cluster")


@dataclass(frozen=True)
class Tenant:
    """One customer with one kind of work."""

    name: str
    priority: int = 0  # higher is served first and preempted last
    kind: str = "inference"
    product: str = "text"  # what inference and batch produce
    grouping: str = "plane"  # satellites that train together, and among which requests reroute
    step_compute_s: float = 10.0  # computing of one training step at full clock; assumption
    gradient_byte: float = 16e9  # exchanged per step: 8e9 parameters in bfloat16; computed
    checkpoint_interval_s: float = 900.0  # assumption, as in the presets' defaults
    restart_s: float = 300.0  # reload from the checkpoint, on all members; assumption


@dataclass(frozen=True)
class TenantPlan:
    """The tenants of a fleet; arrays over (satellites, tenants) stand on the fleet."""

    tenants: tuple[Tenant, ...] = ()

    @property
    def count(self) -> int:
        """Number of tenants."""
        return len(self.tenants)

    @property
    def by_priority(self) -> tuple[int, ...]:
        """Tenants in the order of service: highest priority first, then as listed."""
        order = sorted(range(self.count), key=lambda k: -self.tenants[k].priority)
        return tuple(order)

    def mask(self, **wanted: str) -> _FloatArray:
        """1 for tenants whose attributes are these, (k,)."""
        hits = [
            all(getattr(one, key) == value for key, value in wanted.items()) for one in self.tenants
        ]
        return np.array(hits, dtype=np.float64)


NOBODY: Final = TenantPlan()
"""A fleet without tenants: its work is nobody's in particular."""


def share_matrix(wanted_frac: _FloatArray) -> _FloatArray:
    """Shares (n, k) that sum to 1 on every satellite; a satellite nobody wants stays 0."""
    total = wanted_frac.sum(axis=1, keepdims=True)
    return np.asarray(wanted_frac / np.where(total > 0.0, total, 1.0))


def group_numbers(
    tenants: Sequence[Tenant], planes: Sequence[str], clusters: Sequence[str]
) -> _IntArray:
    """Number of the group of each satellite for each tenant, (n, k)."""
    choices = {
        "satellite": np.arange(len(planes), dtype=np.int64),
        "plane": np.unique(np.array(planes), return_inverse=True)[1].astype(np.int64),
        "cluster": np.unique(np.array(clusters), return_inverse=True)[1].astype(np.int64),
    }
    return np.column_stack([choices[one.grouping] for one in tenants])
