"""What the compiled ticks do not have, named before a run begins: a function of the scenario."""

from collections.abc import Sequence
from typing import cast

from sgp4.api import Satrec

from twin.compiled.propagate import is_near_earth
from twin.compiled.roster import element_rows
from twin.environment import EnvironmentSettings
from twin.errors import NotCompiledError
from twin.site_presets import LunarSite
from twin.state import Fleet
from twin.surroundings import Places


def check_covered(
    fleet: Fleet,
    places: Places,
    epoch_unix_s: float,
    settings: EnvironmentSettings,
    faults_count: int,
) -> None:
    """Nothing where twin.compiled.engine.CompiledFleet runs this fleet.

    Raises NotCompiledError with the key of the scenario and what about it only the numpy path
    (twin/step.py) has. Looks at the scenario alone, never at time or at the machine, so that the
    same scenario always takes the same path.
    """
    check_on_orbit(places)
    satrecs = cast(Sequence[Satrec], places)
    if faults_count:
        raise NotCompiledError("faults", "faults act in the numpy path only")
    if fleet.tenants.count:
        raise NotCompiledError("tenants", "tenants are served in the numpy path only")
    check_weather(settings)
    deep = ~is_near_earth(element_rows(satrecs, epoch_unix_s))
    if deep.any():
        name = fleet.satellite_names[int(deep.argmax())]
        message = f"{name} has a period of 225 minutes or more: deep-space SGP4 is not compiled"
        raise NotCompiledError("fleet", message)


def check_on_orbit(places: Places) -> None:
    """Raises NotCompiledError for nodes on the Moon."""
    if len(places) and isinstance(places[0], LunarSite):
        raise NotCompiledError("fleet", "nodes on the Moon are in the numpy path only")


def check_weather(settings: EnvironmentSettings) -> None:
    """Raises NotCompiledError for space weather that kernels do not have.

    Storms thin or thicken the air, which no part of the plant feels: they are covered unless they
    move cutoffs.
    """
    weather, key = settings.space_weather, "environment.space_weather"
    kinds = {one.kind for one in weather.events}
    if weather.solar_cycle != "min":
        raise NotCompiledError(f"{key}.solar_cycle", "belts at solar maximum are not compiled")
    if "spe" in kinds:
        raise NotCompiledError(f"{key}.events", "solar particle events are not compiled")
    if "storm" in kinds and weather.lowers_cutoff:
        message = "storms that lower the cutoff are not compiled"
        raise NotCompiledError(f"{key}.cutoff_lowering", message)
