"""`twin drill run --live` and `twin drill scenario`: a drill on a running stack."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Console

from services.arguments import parse_epoch
from services.drill_files import find_drill, open_drill
from services.drill_grafana import GrafanaWatch
from services.drill_live_run import LiveDrill
from services.drill_notes import Notes, store_of
from services.drill_page import drill_section
from services.drill_score import Marked, marked
from services.drill_set import Report, Wanted, write_reports
from services.drill_tables import as_data, cases_of, print_marks
from services.grafana_settings import GrafanaSettings, load_grafana_settings
from services.local_run import with_local_login
from services.scenario_files import read_text
from services.settings import Settings
from twin.alert_rule import INTERVAL_S, Rule
from twin.alerts import RULES
from twin.drill_load import Drill, fleet_name
from twin.errors import ConfigurationError, Problem
from twin.fleet_build import FleetBuild, build_fleet


class LiveMarks(NamedTuple):
    """The marks of a live drill beside those of the same drill off line."""

    live: Marked
    off_line: Marked

    def disagreements(self) -> list[str]:
        """Where both differ by more than one evaluation."""
        found = []
        if self.live.score.passed != self.off_line.score.passed:
            found.append("the verdict differs")
        for ours, theirs in zip(
            self.live.score.detections, self.off_line.score.detections, strict=True
        ):
            apart_s = abs(ours.fired_s - theirs.fired_s)
            if ours.outcome != theirs.outcome or apart_s > INTERVAL_S:
                found.append(
                    f"{ours.rule} on {ours.key}: {ours.outcome} at {ours.fired_s:g} s, "
                    f"off line {theirs.outcome} at {theirs.fired_s:g} s"
                )
        return found


async def run_live(
    settings: Settings,
    drill: Drill,
    build: FleetBuild,
    *,
    rules: Sequence[Rule] = RULES,
    grafana: GrafanaSettings | None = None,
    heard: GrafanaWatch | None = None,
    said: Callable[[str], None] = lambda _line: None,
) -> LiveMarks:
    """Run a drill against the stack of the settings and score it, and the same off line.

    Annotations go to `grafana`; alerts are heard from `heard`, from the watcher where it is None.
    Ctrl-C or a failure heals what was broken. Raises DrillAbortedError and ConfigurationError.
    """
    epoch_s = drill.scenario.epoch_unix_s
    assert epoch_s is not None
    notes = Notes(build.fleet.name, drill.name, epoch_s)
    live = LiveDrill(settings, drill, build, rules, notes, said, heard)
    async with AsyncExitStack() as stack:
        store = store_of(settings)
        if store is not None:
            await stack.enter_async_context(store)
            await store.prepare()
        writer = asyncio.create_task(notes.write_for_ever(store, grafana))
        try:
            happened, off_line = await live.run()
            result = LiveMarks(marked(happened, rules), marked(off_line, rules))
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await notes.write(store, grafana)
        if store is not None:
            await notes.score(store, result.live)
    return result


def open_at(settings: Settings, name: str) -> tuple[Drill, FleetBuild]:
    """A drill and its fleet at the epoch of the settings, if they give one; else at its own.

    Raises ConfigurationError.
    """
    drill, build = open_drill(name)
    if settings.epoch is None:
        return drill, build
    try:
        epoch_unix_s = parse_epoch(settings.epoch)
    except ValueError as error:
        raise ConfigurationError([Problem("environment", None, "TWIN_EPOCH", str(error))]) from None
    if epoch_unix_s is None:
        message = "`now` is another instant for every process; a drill needs the simulator's own"
        raise ConfigurationError([Problem("environment", None, "TWIN_EPOCH", message)])
    scenario = replace(drill.scenario, epoch_unix_s=epoch_unix_s)
    return replace(drill, scenario=scenario), build_fleet(scenario, epoch_unix_s, read_text)


async def run_live_drill(
    settings: Settings, name: str, wanted: Wanted, *, by_grafana: bool = False
) -> bool:
    """One drill, its marks printed and its reports written; whether it passed."""
    drill, build = open_at(settings, name)
    console = Console(stderr=True)
    grafana = load_grafana_settings()
    needed = sorted({row.rule for row in drill.keys.expect})
    heard = GrafanaWatch(grafana, needed) if by_grafana else None
    both = await run_live(
        with_local_login(settings, "drill"),
        drill,
        build,
        grafana=grafana if by_grafana or "grafana_url" in grafana.model_fields_set else None,
        heard=heard,
        said=lambda line: console.print(line, highlight=False),
    )
    result = both.live
    for rule, reason in () if heard is None else heard.told.ill.items():
        console.print(f"Grafana: the query of {rule} failed: {reason}", markup=False)
    print_marks(result, Console())
    for line in both.disagreements() or ["Off line gives the same, to one evaluation."]:
        console.print(line, highlight=False)
    section = drill_section(result) if wanted.html is not None else ""
    write_reports([Report(as_data(result), cases_of(result), section)], wanted)
    return result.score.passed


def scenario_text(name: str) -> str:
    """What a simulator has to fly for a drill, as a scenario file."""
    path = Path(find_drill(name)).resolve()
    drill, _ = open_drill(str(path))
    given = dict(drill.keys.given)
    if "extends" in given:
        given["extends"] = str((path.parent / str(given["extends"])).resolve())
    own = {"name": fleet_name(drill.name), "description": drill.keys.title}
    text = yaml.safe_dump(own | given, sort_keys=False, width=100)
    return f"# What the drill {drill.name} needs: twin up --scenario FILE\n{text}"
