"""The model of what surrounds a fleet: round the Earth, or on the Moon."""

from collections.abc import Sequence
from typing import TypeGuard

from sgp4.api import Satrec

from twin.environment import EnvironmentModel, EnvironmentSettings
from twin.lunar import LunarEnvironmentModel
from twin.mean_elements import chosen_records
from twin.site_presets import LunarSite
from twin.state import IntArray

Places = Sequence[Satrec] | Sequence[LunarSite]


def surroundings(
    places: Places, epoch_unix_s: float, settings: EnvironmentSettings
) -> EnvironmentModel | LunarEnvironmentModel:
    """Environment of satellites by their records, or of nodes on the Moon by their sites.

    The Moon takes the solar constant and the space weather from the settings; the Earth's light
    and shadow do not reach it.
    """
    if _on_moon(places):
        return LunarEnvironmentModel(
            tuple(places), epoch_unix_s, settings.solar_constant_w_m2, settings.space_weather
        )
    return EnvironmentModel(places, epoch_unix_s, settings)


def chosen_places(places: Places, rows: IntArray) -> Places:
    """Records or sites of these rows; arrays of elements stay arrays."""
    if _on_moon(places):
        return [places[row] for row in rows.tolist()]
    return chosen_records(places, rows)


def _on_moon(places: Places) -> TypeGuard[Sequence[LunarSite]]:
    return len(places) > 0 and isinstance(places[0], LunarSite)
