"""`twin life`: a fleet's launches, spares and ends, plan against what came of it."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from services.economic_choices import changed_sections, chosen_launcher
from services.scenario_files import find_scenario, read_text
from twin.constants import SECONDS_PER_DAY, SECONDS_PER_JULIAN_YEAR
from twin.deployment import STATE_BY_NAME, StateLimits, deployment_timeline, state_limits
from twin.faults import PlacedFault, plan_faults
from twin.fleet_life import (
    SPARES_CRITICAL_PCT,
    SPARES_WARNING_PCT,
    FleetLife,
    life_plan,
    live,
)
from twin.life_plan import LaunchSlip
from twin.life_values import LifeValues
from twin.preset_library import load_preset
from twin.preset_values import PresetValues
from twin.scenario import Scenario, build_fleet, load_scenario
from twin.site_presets import LunarPreset, orbiting_or_lunar

ROWS = 12
LAUNCH_SLIP = "O4"
STUCK = ("array_stuck", "radiator_stuck")  # shown beside the timeline: what a bad day leaves


PlayedFleet = tuple[FleetLife, tuple[StateLimits, ...]]


class LivingFleet:
    """One class of satellites with the plan of its life."""

    def __init__(
        self,
        name: str,
        values: PresetValues,
        life: LifeValues,
        count: int,
        slips: tuple[LaunchSlip, ...] = (),
    ) -> None:
        self.name = name
        self.values = values
        self.life = life
        self.count = count
        self.slips = slips


def fleets_of(scenario: str | None, preset: str | None, epoch_unix_s: float) -> list[LivingFleet]:
    """The groups of a scenario with its launch slips (faults O4), or one preset's own fleet."""
    if preset is not None:
        one = load_preset(preset)
        return [LivingFleet(preset, one.values, one.life, one.orbit.count)]
    opened = load_scenario(find_scenario(scenario or "flown-2026"), read_text)
    slips = _launch_slips(opened, epoch_unix_s)
    found = []
    for group in opened.groups:
        base = orbiting_or_lunar(group.keys.preset)
        if isinstance(base, LunarPreset):
            count = 1
        elif group.elements_path is None:
            count = (group.keys.orbit or base.orbit).count
        else:
            only = replace(opened, groups=(replace(group, index=0),))
            count = build_fleet(only, epoch_unix_s, read_text).fleet.count
        mine = slips.get(group.keys.id, ())
        found.append(LivingFleet(group.keys.id, group.values, base.life, count, mine))
    names = Counter(one.name for one in found)
    assert max(names.values()) == 1  # load_scenario refuses ids that repeat
    return found


def _launch_slips(scenario: Scenario, epoch_unix_s: float) -> dict[str, tuple[LaunchSlip, ...]]:
    """Launch slips of each group: an O4 fault slips by its duration, or loses without an end."""
    faults = [one for one in scenario.faults if one.kind.id == LAUNCH_SLIP]
    if not faults:
        return {}
    fleet = build_fleet(scenario, epoch_unix_s, read_text).fleet
    placed = plan_faults(faults, fleet, scenario.seed).placed
    groups = [group.keys.id for group in scenario.groups]
    owners = [_owner(plane, groups) for plane in fleet.planes]
    return {group: tuple(_slips_of(group, owners, placed)) for group in groups}


def _owner(plane: str, groups: list[str]) -> str:
    """The group a plane belongs to: its name begins with the group's id."""
    return max((one for one in groups if plane == one or plane.startswith(f"{one}_")), key=len)


def _slips_of(
    group: str, owners: list[str], placed: tuple[PlacedFault, ...]
) -> Iterator[LaunchSlip]:
    for one in placed:
        count = sum(owners[row] == group for row in one.rows.tolist())
        if count:
            yield LaunchSlip(one.fault.onset_s, count, one.fault.duration_s)


def played_fleets(
    fleets: list[LivingFleet],
    years: float,
    seed: int,
    changes: Mapping[str, object],
    vehicle: str | None,
) -> list[PlayedFleet]:
    """Each fleet's life, and what a satellite may draw in its states of deployment."""
    played = []
    for one in fleets:
        values, life, _ = changed_sections(one.values, one.life, changes)
        by, life = chosen_launcher(life, vehicle, changes)
        plan = life_plan(one.name, values, life, one.count, by, one.slips)
        stuck = [state_limits(values, STATE_BY_NAME[name]) for name in STUCK]
        played.append((live(plan, years, seed), (*deployment_timeline(values, life), *stuck)))
    return played


def print_life(played: list[PlayedFleet], *, as_json: bool) -> None:
    """Plan against actual, deployment states and alarms."""
    if as_json:
        whole = [_plain(lived, states) for lived, states in played]
        sys.stdout.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for lived, states in played:
        _print_one(lived, states)


def alarms(life: FleetLife) -> list[str]:
    """What operations would have been told: capacity below plan, spares running out."""
    found = []
    short = np.flatnonzero(life.active_count < life.planned_service_count)
    if short.size:
        worst = short[np.argmin((life.active_count - life.planned_service_count)[short])]
        missing = int(life.planned_service_count[worst] - life.active_count[worst])
        found.append(
            f"capacity below plan from year {_years(life.time_s[short[0]]):.2f}, at worst "
            f"{missing:,} satellites short in year {_years(life.time_s[worst]):.2f}"
        )
    built = life.time_s >= life.plan.filled_s
    for level, limit in (("critical", SPARES_CRITICAL_PCT), ("warning", SPARES_WARNING_PCT)):
        low = np.flatnonzero(built & (life.spares_left_pct < limit))
        if low.size and life.plan.spares_count:
            at = _years(life.time_s[low[0]])
            found.append(f"{level}: spares below {limit:g} % of plan from year {at:.2f}")
            break
    return found


def _plain(life: FleetLife, states: tuple[StateLimits, ...]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, value in vars(life).items():
        plain[key] = value.tolist() if isinstance(value, np.ndarray) else value
    plain["plan"] = vars(life.plan) | {"slips": [vars(one) for one in life.plan.slips]}
    plain["alarms"] = alarms(life)
    plain["deployment"] = [vars(one) for one in states]
    plain["reentry_t_year"] = life.reentry_kg_per_s * SECONDS_PER_JULIAN_YEAR / 1000.0
    return plain


def _print_one(life: FleetLife, states: tuple[StateLimits, ...]) -> None:
    plan, console = life.plan, Console(highlight=False)
    console.print(
        f"[bold]{plan.name}[/]: {plan.target_count:,} satellites and {plan.spares_count:,} "
        f"spares, {plan.per_launch_count} a launch every "
        f"{plan.launch_interval_s / SECONDS_PER_DAY:.3g} days"
    )
    table = Table(box=None, pad_edge=False)
    for title in ("year", "plan", "serve", "orbit", "spare%", "flown", "lost", "fail"):
        table.add_column(title, justify="right")
    for title in ("planMW", "MW", "fallen t"):
        table.add_column(title, justify="right")
    for row in np.unique(np.linspace(0, len(life.time_s) - 1, ROWS + 1).astype(int)).tolist():
        spares = life.spares_left_pct[row]
        table.add_row(
            f"{_years(life.time_s[row]):.2f}",
            f"{life.planned_service_count[row]:,}",
            f"{life.in_service_count[row]:,}",
            f"{life.in_orbit_count[row]:,}",
            "-" if np.isnan(spares) else f"{spares:.0f}",
            f"{life.launches_count[row]:,}",
            f"{life.launches_lost_count[row]:,}",
            f"{life.failed_count[row]:,}",
            f"{life.planned_capacity_w[row] / 1e6:,.4g}",
            f"{life.capacity_w[row] / 1e6:,.4g}",
            f"{life.reentered_mass_kg[row] / 1e3:,.4g}",
        )
    console.print(table)
    for alarm in alarms(life):
        console.print(f"[yellow]{alarm}[/]")
    yearly = life.reentry_kg_per_s * SECONDS_PER_JULIAN_YEAR / 1000.0
    console.print(f"re-entry in the last year: {yearly:,.4g} t\n")
    limits = Table("state", "from day", "array kW", "radiator kW", "payload kW", box=None)
    for one in states:
        watts = (one.array_power_w, one.radiator_power_w, one.payload_limit_w)
        limits.add_row(
            one.state,
            "-" if one.state in STUCK else f"{one.start_s / SECONDS_PER_DAY:g}",
            *(f"{watt / 1e3:,.4g}" for watt in watts),
        )
    console.print(limits)
    console.print()


def _years(seconds: float) -> float:
    return float(seconds / SECONDS_PER_JULIAN_YEAR)
