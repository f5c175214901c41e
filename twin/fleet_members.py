"""The satellites of one group of a scenario: from element files, or from generators.

Both end as SGP4 records. A satellite that SGP4 cannot place at the epoch, or that is below
DECAYED_BELOW_M, or whose elements are too old, is left out by name with the reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sgp4.api import SGP4_ERRORS, Satrec, SatrecArray

from twin.clock import julian_date
from twin.constants import EARTH_EQUATOR_RADIUS_M, SECONDS_PER_DAY
from twin.constellations import satrecs as constellation_satrecs
from twin.elements import ElementSet, satellite_ids
from twin.errors import ConfigurationError, Problem
from twin.located_yaml import nearest
from twin.neighbours import LINKS, catalogued_planes
from twin.preset_library import load_preset
from twin.scenario_load import Scenario, ScenarioGroup
from twin.scenario_model import ElementsKeys, utc_text
from twin.site_presets import LunarSite, load_lunar
from twin.state import BoolArray, FloatArray, IntArray

DECAYED_BELOW_M: Final = 120_000.0
"""No orbit is completed below this height: the usual entry interface is 120 km."""
WARN_AGE_DAYS: Final = 30.0
"""SGP4 drifts along the track by some 1-3 km a day (Vallado & Cefola 2012): a month is far off."""


@dataclass
class Members:
    """Satellites of one group."""

    ids: Sequence[str]
    names: Sequence[str]
    planes: Sequence[str]
    satrecs: Sequence[Satrec]
    neighbour_index: IntArray
    sites: Sequence[LunarSite] = ()  # of nodes on the Moon, which have no satrecs


@dataclass
class Findings:
    """What is worth telling about a build."""

    problems: list[Problem]
    left_out: list[tuple[str, str]]
    warnings: list[str]


def planned_members(group: ScenarioGroup, epoch_unix_s: float) -> Members:
    """Satellites that a generator places, named by plane and slot."""
    orbit = group.keys.orbit or load_preset(group.keys.preset).orbit
    made = orbit.constellation(group.values.link_topology, epoch_unix_s)
    planes, slots = made.plane_index.tolist(), made.slot_index.tolist()
    stem = group.keys.id
    if max(planes) == 0:
        width = len(str(len(slots)))
        ids = [f"{stem}_{slot + 1:0{width}d}" for slot in slots] if len(slots) > 1 else [stem]
    else:
        wide, deep = (max(3, len(str(max(one)))) for one in (planes, slots))
        pairs = zip(planes, slots, strict=True)
        ids = [f"{stem}_{plane:0{wide}d}_{slot:0{deep}d}" for plane, slot in pairs]
    names = [f"{stem}_p{plane:03d}" for plane in range(max(planes) + 1)]
    labels = [names[plane] for plane in planes]
    return Members(
        ids, ids, labels, constellation_satrecs(made, epoch_unix_s), made.neighbour_index
    )


def lunar_members(group: ScenarioGroup) -> Members:
    """One node on the Moon, at the preset's place unless the scenario has another."""
    stem, site = group.keys.id, load_lunar(group.keys.preset).site
    if group.keys.site is not None:
        site = site.model_copy(update=group.keys.site.model_dump())
    nobody = np.full((1, LINKS), -1, dtype=np.int64)
    return Members([stem], [stem], [stem], [], nobody, [site])


def catalogued_members(
    scenario: Scenario,
    group: ScenarioGroup,
    epoch_unix_s: float,
    read: Callable[[str, str], list[ElementSet]],
    findings: Findings,
) -> Members:
    """Satellites of an element file that are wanted, young enough and still flying.

    What is wrong goes to `findings`; the group is empty then.
    """
    keys, path = group.keys.elements, group.elements_path
    assert keys is not None and path is not None
    at = ("fleet", group.index, "elements")
    nobody = Members([], [], [], [], np.empty((0, LINKS), dtype=np.int64))
    try:
        found = read(path, keys.format)
    except ConfigurationError as error:
        findings.problems += error.problems
        return nobody
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot read {path}: {reason}"
        findings.problems.append(scenario.problem((*at, "file"), message))
        return nobody
    chosen, unknown = _selected(found, keys)
    findings.problems += [scenario.problem((*at, "select"), message) for message in unknown]
    valid = _young_enough(scenario, group, chosen, epoch_unix_s, findings)
    if not valid:
        return nobody
    return _flying(group, valid, epoch_unix_s, findings)


def _selected(found: list[ElementSet], keys: ElementsKeys) -> tuple[list[ElementSet], list[str]]:
    """The satellites asked for by name or number, in file order, and what was not found."""
    if keys.select is None:
        return found, []
    wanted = {str(one).upper() for one in keys.select}
    chosen = [one for one in found if wanted & {one.name.upper(), str(one.satnum)}]
    got = {text for one in chosen for text in (one.name.upper(), str(one.satnum))}
    names = [one.name for one in found]
    unknown = []
    for one in keys.select:
        if str(one).upper() not in got:
            hint = nearest(one, names) if len(names) <= 20 else f"{len(names)} satellites there"
            unknown.append(f"{one!r} is not in {keys.file}; {hint}")
    return chosen, unknown


def _young_enough(
    scenario: Scenario,
    group: ScenarioGroup,
    chosen: list[ElementSet],
    epoch_unix_s: float,
    findings: Findings,
) -> list[ElementSet]:
    """Those whose elements are valid at the epoch; a problem when none is."""
    keys = group.keys.elements
    assert keys is not None
    if not chosen:
        return []
    epochs = np.array([one.epoch_unix_s for one in chosen])
    age_days = np.abs(epoch_unix_s - epochs) / SECONDS_PER_DAY
    if age_days.min() > keys.max_age_days:
        best = int(np.argmin(age_days))
        at = ("fleet", group.index, "elements", "max_age_days")
        message = (
            f"epoch {utc_text(epoch_unix_s)} is {age_days[best]:.1f} days from the nearest "
            f"elements, {utc_text(epochs[best])} ({chosen[best].name}, {keys.file}); "
            f"allowed 0 to {keys.max_age_days:g} days"
        )
        findings.problems.append(scenario.problem(at, message))
        return []
    for row in np.nonzero(age_days > keys.max_age_days)[0].tolist():
        reason = f"elements of {utc_text(epochs[row])} are {age_days[row]:.1f} days from the epoch"
        findings.left_out.append((chosen[row].name, reason))
    valid = [one for one, age in zip(chosen, age_days, strict=True) if age <= keys.max_age_days]
    oldest = float(np.max(age_days[age_days <= keys.max_age_days]))
    if oldest > WARN_AGE_DAYS:
        findings.warnings.append(
            f"{group.keys.id}: elements are up to {oldest:.0f} days from the epoch; "
            "the orbit is right, the place along it is not"
        )
    return valid


def _flying(
    group: ScenarioGroup, valid: list[ElementSet], epoch_unix_s: float, findings: Findings
) -> Members:
    """Those that SGP4 places above the atmosphere, with planes and neighbours among them."""
    error, position_m, velocity_m_s = positions_at([one.satrec for one in valid], epoch_unix_s)
    height_m = np.linalg.norm(position_m, axis=1) - EARTH_EQUATOR_RADIUS_M
    good: BoolArray = (error == 0) & (height_m >= DECAYED_BELOW_M)
    for row in np.nonzero(~good)[0].tolist():
        code = int(error[row])
        text = SGP4_ERRORS.get(code, "unknown error")
        reason = (
            f"SGP4 error {code}: {text}" if code else f"decayed: at {height_m[row] / 1e3:.0f} km"
        )
        findings.left_out.append((valid[row].name, reason))
    kept = [valid[row] for row in np.nonzero(good)[0].tolist()]
    names = [one.name for one in kept]
    labels, links = catalogued_planes(position_m[good], velocity_m_s[good])
    if group.values.link_topology == "none":
        links[:] = -1
    return Members(
        ids=satellite_ids(names, [one.satnum for one in kept]),
        names=names,
        planes=[f"{group.keys.id}_{label}" for label in labels],
        satrecs=[one.satrec for one in kept],
        neighbour_index=links,
    )


def positions_at(
    satrecs: Sequence[Satrec], epoch_unix_s: float
) -> tuple[IntArray, FloatArray, FloatArray]:
    """SGP4 error code (n,), position [m] and velocity [m/s] (n, 3), TEME, at one instant."""
    whole, part = julian_date(epoch_unix_s)
    orbits = SatrecArray(list(satrecs))
    error, position_km, velocity_km_s = orbits.sgp4(np.array([whole]), np.array([part]))
    return error[:, 0].astype(np.int64), position_km[:, 0] * 1000.0, velocity_km_s[:, 0] * 1000.0
