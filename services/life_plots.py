"""The life of fleets as a PNG: capacity, satellites by state, launches, ends, re-entries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.plotting import BROKEN, PLAIN, SHADE, pyplot
from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.errors import ConfigurationError, Problem
from twin.fleet_life import FleetLife

ACTIVE, SPARE = "#3a7ca5", "#a9c8dc"
HIGH_IN: Final = 1.7


def plot_lives(lives: list[FleetLife], path: Path) -> None:
    """One column a fleet, one row a subject, over years.

    Raises ConfigurationError for a path that is no PNG or cannot be written, and
    DependencyUnavailableError without matplotlib.
    """
    if path.suffix.lower() != ".png":
        raise _wrong(path, "not a PNG; a name that ends in .png")
    plt = pyplot()
    rows, columns = len(PANELS), len(lives)
    figure, axes = plt.subplots(
        rows, columns, sharex="col", figsize=(1.5 + 5.5 * columns, HIGH_IN * rows), squeeze=False
    )
    for column, life in enumerate(lives):
        for axis, draw in zip(axes[:, column], PANELS, strict=True):
            draw(axis, life, life.time_s / SECONDS_PER_JULIAN_YEAR)
            axis.tick_params(labelsize=7)
            axis.margins(x=0)
            axis.set_ylim(bottom=0.0)
            axis.legend(loc="upper left", fontsize=6, frameon=False, ncols=2)
        axes[0, column].set_title(life.plan.name, fontsize=10, loc="left")
        axes[-1, column].set_xlabel("Years since the first planned launch", fontsize=8)
    figure.tight_layout()
    try:
        figure.savefig(path, dpi=90)
    except OSError as error:
        raise _wrong(path, error.strerror or str(error)) from None
    finally:
        plt.close(figure)


def _capacity(axis: Any, life: FleetLife, years: Any) -> None:
    axis.plot(years, life.planned_capacity_w / 1e6, color=PLAIN, linewidth=1.0, label="planned")
    axis.plot(years, life.capacity_w / 1e6, color=BROKEN, linewidth=1.3, label="actual")
    axis.set_ylabel("Capacity [MW]", fontsize=8)


def _states(axis: Any, life: FleetLife, years: Any) -> None:
    spares = life.in_service_count - life.active_count
    axis.stackplot(
        years,
        life.active_count,
        spares,
        life.deploying_count,
        labels=["active", "spare", "deploying"],
        colors=[ACTIVE, SPARE, SHADE],
    )
    axis.plot(years, life.planned_service_count, color=PLAIN, linewidth=1.0, label="planned")
    axis.set_ylabel("Satellites", fontsize=8)


def _launches(axis: Any, life: FleetLife, years: Any) -> None:
    begun = np.searchsorted(np.sort(life.launch_planned_s), life.time_s, side="right")
    axis.plot(years, begun, color=PLAIN, linewidth=1.0, label="due of those flown")
    axis.plot(years, life.launches_count, color=ACTIVE, linewidth=1.3, label="flown")
    axis.plot(years, life.launches_lost_count, color=BROKEN, linewidth=1.3, label="lost")
    axis.set_ylabel("Launches", fontsize=8)


def _ends(axis: Any, life: FleetLife, years: Any) -> None:
    axis.plot(years, life.failed_count, color=BROKEN, linewidth=1.3, label="failed")
    axis.plot(years, life.lost_at_launch_count, color=PLAIN, linewidth=1.0, label="lost at launch")
    axis.plot(years, life.replaced_count, color=ACTIVE, linewidth=1.3, label="replacements")
    axis.set_ylabel("Satellites", fontsize=8)


def _reentries(axis: Any, life: FleetLife, years: Any) -> None:
    axis.plot(years, life.launched_mass_kg / 1e3, color=PLAIN, linewidth=1.0, label="launched")
    axis.plot(years, life.reentered_mass_kg / 1e3, color=BROKEN, linewidth=1.3, label="re-entered")
    axis.set_ylabel("Mass [t]", fontsize=8)


PANELS: Final[tuple[Callable[[Any, FleetLife, Any], None], ...]] = (
    _capacity,
    _states,
    _launches,
    _ends,
    _reentries,
)


def _wrong(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("life", None, "--plot", f"{path}: {message}")])
