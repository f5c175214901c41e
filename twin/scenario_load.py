"""A scenario: YAML text in, a fleet in SI arrays out. Text comes through `read_text`; no I/O.

`load_scenario` checks everything that does not need the epoch or the elements and reports all
problems at once; `build_fleet` reads elements, makes the orbits and the arrays.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from twin.errors import ConfigurationError, Problem
from twin.faults import Fault
from twin.located_yaml import (
    Location,
    Places,
    Vocabulary,
    dotted,
    nearest,
    place_of,
    problems_of,
)
from twin.preset_library import accelerator_profiles
from twin.preset_values import PresetValues
from twin.scenario_faults import scenario_faults
from twin.scenario_layers import ReadText, extended, layers, relative_path
from twin.scenario_model import (
    KEY_NAMES,
    KEY_RANGES,
    EnvironmentKeys,
    Group,
    ScenarioKeys,
    TenantKeys,
    parse_utc,
)
from twin.site_presets import orbiting_or_lunar

_WORDS: Final = Vocabulary(KEY_NAMES, KEY_RANGES)


@dataclass(frozen=True)
class ScenarioGroup:
    """One group of satellites with its preset resolved."""

    index: int
    keys: Group
    values: PresetValues
    elements_path: str | None


@dataclass(frozen=True)
class Scenario:
    """A checked scenario. `epoch_unix_s` is None for `epoch: now`."""

    file: str
    name: str
    description: str
    epoch_unix_s: float | None
    seed: int
    step_s: float
    environment: EnvironmentKeys
    groups: tuple[ScenarioGroup, ...]
    digest: str  # sha256 of the texts, hexadecimal: names a run
    places: Places
    tenants: tuple[TenantKeys, ...] = ()
    playback: bool = False
    faults: tuple[Fault, ...] = ()

    def problem(self, location: Location, message: str) -> Problem:
        """A problem at a key of this scenario."""
        return Problem(*place_of(location, self.places), dotted(location), message)


def load_scenario(path: str, read_text: ReadText) -> Scenario:
    """Read, follow `extends`, check. Raises ConfigurationError with all problems, located.

    `read_text(path)` gives the text of a file or raises OSError or ValueError; paths inside a
    file are relative to that file.
    """
    texts: dict[str, str] = {}
    data, places = layers(path, read_text, texts)
    return _checked(path, data, places, texts)


def scenario_within(
    path: str, text: str, data: dict[str, object], places: Places, read_text: ReadText
) -> Scenario:
    """A scenario that is a part of a file (`given` of a drill); `extends` is followed too.

    data, places: of the part, places by the path inside it. Raises ConfigurationError.
    """
    texts = {path: text}
    return _checked(path, *extended(path, data, places, read_text, texts), texts)


def _checked(path: str, data: dict[str, object], places: Places, texts: dict[str, str]) -> Scenario:
    try:
        keys = ScenarioKeys.model_validate(data)
    except ValidationError as error:
        problems = problems_of(error, places, _WORDS)
        # a fault elsewhere must not hide those of overrides
        problems += _override_problems(data, places)
        raise ConfigurationError(_in_order(problems)) from None
    groups, problems = _resolved_groups(keys, places)
    problems += _semantic_problems(keys, places)
    problems += _tenant_problems(keys, groups, places)
    faults, wrong = scenario_faults(keys.faults, places)
    problems += wrong
    if problems:
        raise ConfigurationError(_in_order(problems))
    epoch = None if keys.epoch == "now" else parse_utc(keys.epoch).timestamp()
    return Scenario(
        file=path,
        name=keys.name,
        description=keys.description,
        epoch_unix_s=epoch,
        seed=keys.seed,
        step_s=keys.step_s,
        environment=keys.environment,
        groups=tuple(groups),
        digest=_digest(texts),
        places=places,
        tenants=tuple(keys.tenants),
        playback=keys.playback,
        faults=faults,
    )


def _resolved_groups(
    keys: ScenarioKeys, places: Places
) -> tuple[list[ScenarioGroup], list[Problem]]:
    groups, problems = [], []
    for index, group in enumerate(keys.fleet):
        values, wrong = _values(group.preset, group.overrides, index, places)
        problems += wrong
        path = None
        if group.elements is not None:
            file, _ = place_of(("fleet", index, "elements", "file"), places)
            path = relative_path(file, group.elements.file)
        if values is not None:
            groups.append(ScenarioGroup(index, group, values, path))
    return groups, problems


def _values(
    preset: str, overrides: dict[str, object], index: int, places: Places
) -> tuple[PresetValues | None, list[Problem]]:
    """The preset's values with a group's overrides, or what is wrong with them."""
    at: Location = ("fleet", index, "overrides")
    wrong: list[Problem] = []
    values = None
    try:
        plain = orbiting_or_lunar(preset).values.model_dump()
        values = PresetValues.model_validate({**plain, **overrides})
    except ValidationError as error:
        for one in problems_of(error, _below(at, places), _WORDS):
            key = ".".join(part for part in (dotted(at), one.key) if part)
            hint = one.message
            if hint.startswith("unknown key"):
                hint = f"unknown key; {nearest(one.key, KEY_NAMES['overrides'])}"
            wrong.append(Problem(one.file, one.line, key, hint))
    name = overrides.get("accelerator")
    if isinstance(name, str) and name not in accelerator_profiles():
        hint = nearest(name, list(accelerator_profiles()))
        here = (*at, "accelerator")
        message = f"unknown accelerator {name!r}; {hint}"
        wrong.append(Problem(*place_of(here, places), dotted(here), message))
    return values, wrong


def _below(at: Location, places: Places) -> Places:
    """Places below `at`, relative to it."""
    found = {one[len(at) :]: where for one, where in places.items() if one[: len(at)] == at}
    return found | {(): place_of(at, places)}


def _override_problems(data: dict[str, object], places: Places) -> list[Problem]:
    """Faults of overrides in a file that is faulty elsewhere too."""
    problems: list[Problem] = []
    fleet = data.get("fleet")
    for index, group in enumerate(fleet if isinstance(fleet, list) else []):
        try:
            one = Group.model_validate(group)
        except ValidationError as error:
            if any(
                detail["loc"][:1] in ((), ("preset",), ("overrides",)) for detail in error.errors()
            ):
                continue
            preset, overrides = str(group["preset"]), dict(group.get("overrides", {}))
        else:
            preset, overrides = one.preset, one.overrides
        problems += _values(preset, overrides, index, places)[1]
    return problems


def _semantic_problems(keys: ScenarioKeys, places: Places) -> list[Problem]:
    """Rules between keys: distinct group ids, report intervals on the grid of steps."""
    problems = []
    first: dict[str, int] = {}
    for index, group in enumerate(keys.fleet):
        before = first.setdefault(group.id, index)
        at: Location = ("fleet", index, "id")
        if before != index:
            _, line = place_of(("fleet", before, "id"), places)
            message = f"duplicate id {group.id!r}, first at line {line}; ids must differ"
            problems.append(Problem(*place_of(at, places), dotted(at), message))
        steps = group.report_interval_s / keys.step_s
        if steps < 1 or abs(steps - round(steps)) > 1e-9:
            at = ("fleet", index, "report_interval_s")
            message = (
                f"{group.report_interval_s:g} is not a whole multiple of step_s {keys.step_s:g}"
            )
            problems.append(Problem(*place_of(at, places), dotted(at), message))
    return problems


def _tenant_problems(
    keys: ScenarioKeys, groups: list[ScenarioGroup], places: Places
) -> list[Problem]:
    """Rules of tenants: distinct names, groups that exist, links where members train together."""
    problems: list[Problem] = []
    linked = {one.keys.id: one.values.link_rate_gbps > 0.0 for one in groups}
    names: set[str] = set()
    for index, tenant in enumerate(keys.tenants):
        wrong = []
        if tenant.name in names:
            wrong.append(("name", f"duplicate tenant {tenant.name!r}"))
        names.add(tenant.name)
        ids = [group.id for group in keys.fleet]
        for one in tenant.only or []:
            if one not in ids:
                wrong.append(("only", f"no group {one!r} in this fleet; {nearest(one, ids)}"))
        alone = [one for one in tenant.only or ids if not linked.get(one, True)]
        if tenant.kind == "training" and tenant.grouping != "satellite" and alone:
            message = f"{alone[0]} has no laser links: satellites cannot train together; "
            wrong.append(("grouping", message + "use satellite, or name linked groups in `only`"))
        for key, message in wrong:
            at: Location = ("tenants", index, key)
            problems.append(Problem(*place_of(at, places), dotted(at), message))
    return problems


def _in_order(problems: list[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda one: (one.file, one.line or 0, one.key))


def _digest(texts: dict[str, str]) -> str:
    whole = hashlib.sha256()
    for text in texts.values():
        whole.update(hashlib.sha256(text.encode()).digest())
    return whole.hexdigest()
