"""The fleet of a scenario at its epoch: all its groups side by side, as arrays.

Who flies and who is left out, group by group, is in `twin/fleet_members.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from sgp4.api import Satrec

from twin.elements import ElementSet, parse_elements
from twin.errors import ConfigurationError, Problem
from twin.fleet_members import Findings, Members, catalogued_members, lunar_members, planned_members
from twin.fleet_params import class_params
from twin.mean_elements import GeneratedRecords, MeanElements
from twin.noise import satellite_keys
from twin.preset_library import accelerator_profiles
from twin.scenario_faults import target_problems
from twin.scenario_layers import ReadText
from twin.scenario_load import Scenario
from twin.site_presets import LunarSite
from twin.state import Fleet, IntArray
from twin.tenants import TenantPlan, group_numbers, share_matrix


@dataclass(frozen=True)
class FleetBuild:
    """What `build_fleet` gives; `satrecs`, or `sites` on the Moon, in the order of the fleet."""

    fleet: Fleet
    satrecs: Sequence[Satrec]  # GeneratedRecords, with arrays of elements, where all are planned
    left_out: tuple[tuple[str, str], ...]  # (name, reason)
    warnings: tuple[str, ...]
    sites: tuple[LunarSite, ...] = ()

    @property
    def places(self) -> Sequence[Satrec] | Sequence[LunarSite]:
        """Where each member is, for `twin.surroundings`."""
        return self.sites or self.satrecs


def build_fleet(scenario: Scenario, epoch_unix_s: float, read_text: ReadText) -> FleetBuild:
    """All satellites of a scenario at its epoch, in the order of its groups.

    `epoch_unix_s` is the present for `epoch: now` and ignored otherwise. Raises ConfigurationError
    with every problem: unreadable or faulty element files, unknown selections, an epoch outside
    the validity of the elements, ids that repeat.
    """
    epoch = epoch_unix_s if scenario.epoch_unix_s is None else scenario.epoch_unix_s
    findings = Findings([], [], [])

    @cache
    def read(path: str, element_format: str) -> list[ElementSet]:
        return parse_elements(read_text(path), path, element_format)

    members = []
    for group in scenario.groups:
        if group.keys.on_moon:
            members.append(lunar_members(group))
        elif group.elements_path is None:
            members.append(planned_members(group, epoch))
        else:
            members.append(catalogued_members(scenario, group, epoch, read, findings))
    findings.problems += _repeated_ids(scenario, members)
    if not findings.problems and not any(len(one.ids) for one in members):
        findings.problems.append(scenario.problem(("fleet",), "no satellite is left to simulate"))
    if findings.problems:
        raise ConfigurationError(findings.problems)
    fleet = _assembled(scenario, members)
    wrong = target_problems(scenario.faults, fleet, scenario.seed, scenario.places)
    if wrong:
        raise ConfigurationError(wrong)
    return FleetBuild(
        fleet,
        _records(members),
        tuple(findings.left_out),
        tuple(findings.warnings),
        tuple(chain.from_iterable(one.sites for one in members)),
    )


def _records(members: list[Members]) -> Sequence[Satrec]:
    """All satellites' records; arrays stay arrays when no group is catalogued."""
    generated = [one.satrecs for one in members if isinstance(one.satrecs, GeneratedRecords)]
    if len(generated) == len(members):
        return GeneratedRecords(MeanElements.joined([one.elements for one in generated]))
    return tuple(chain.from_iterable(one.satrecs for one in members))


def _repeated_ids(scenario: Scenario, members: list[Members]) -> list[Problem]:
    """Satellites that two groups both bring; the first three by name."""
    owner: dict[str, int] = {}
    problems: list[Problem] = []
    if len(members) == 1:  # ids are distinct within a group by construction
        return problems
    for index, one in enumerate(members):
        twice = [name for name in one.ids if name in owner]
        if twice:
            first = scenario.groups[owner[twice[0]]].keys.id
            shown = ", ".join(twice[:3]) + (f" and {len(twice) - 3} more" if twice[3:] else "")
            message = f"duplicate satellite id {shown}, already in group {first!r}"
            problems.append(scenario.problem(("fleet", index, "id"), message))
        owner.update(dict.fromkeys(one.ids, index))
    return problems


def _assembled(scenario: Scenario, members: list[Members]) -> Fleet:
    """One fleet from the groups: columns side by side, neighbours shifted to fleet rows."""
    groups = scenario.groups
    counts = np.array([len(one.ids) for one in members])
    start = np.concatenate(([0], np.cumsum(counts)[:-1]))
    owner = np.repeat(np.arange(len(members)), counts)
    links = [
        np.where(one.neighbour_index >= 0, one.neighbour_index + begin, -1)
        for one, begin in zip(members, start.tolist(), strict=True)
    ]
    accelerators = [group.values.accelerator for group in groups]
    vendors = [accelerator_profiles()[name].vendor for name in accelerators]
    interval = np.array([group.keys.report_interval_s for group in groups])
    rows = owner.tolist()
    ids = tuple(chain.from_iterable(one.ids for one in members))
    planes = tuple(chain.from_iterable(one.planes for one in members))
    return Fleet(
        name=scenario.name,
        satellite_ids=ids,
        satellite_names=tuple(chain.from_iterable(one.names for one in members)),
        planes=planes,
        presets=tuple(groups[row].keys.preset for row in rows),
        accelerators=tuple(accelerators[row] for row in rows),
        vendors=tuple(vendors[row] for row in rows),
        report_interval_s=interval[owner],
        neighbour_index=np.concatenate(links).astype(np.int64),
        satellite_key=satellite_keys(ids),
        params=class_params([group.values for group in groups]).take(owner),
        channel_set_index=np.array([group.keys.channel_set_index for group in groups])[owner],
        **_shared(scenario, owner, planes),
    )


def _shared(scenario: Scenario, owner: IntArray, planes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of the fleet that tenants bring; nothing without any."""
    if not scenario.tenants:
        return {}
    tenants = tuple(one.tenant() for one in scenario.tenants)
    wanted = np.array(
        [
            [
                one.share_pct * (one.only is None or group.keys.id in one.only)
                for one in scenario.tenants
            ]
            for group in scenario.groups
        ]
    )
    clusters = [scenario.groups[row].keys.id for row in owner.tolist()]
    return {
        "tenants": TenantPlan(tenants),
        "tenant_share_frac": share_matrix(wanted)[owner],
        "tenant_group_index": group_numbers(tenants, planes, clusters),
    }
