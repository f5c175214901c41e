"""Drills for people who have not run them yet."""

from rich.console import Console
from rich.table import Table

from services.drill_files import find_drill, list_drills, open_drill
from services.fault_tables import time_text
from services.scenario_files import read_text
from twin.alerts import RULES
from twin.drill_load import Drill, load_drill


def load(name: str) -> Drill:
    """A drill without its fleet. Raises ConfigurationError."""
    return load_drill(find_drill(name), read_text, [rule.name for rule in RULES])


def injected(drill: Drill) -> list[str]:
    """Ids of the faults, each once, in the order of the file."""
    kinds = [
        drill.faults[one.id].kind.id if one.id in drill.faults else str(one.pipeline)
        for one in drill.keys.inject
    ]
    return list(dict.fromkeys(kinds))


def print_drills() -> None:
    """One line per shipped drill."""
    table = Table("drill", "level", "title", "breaks", "sees", "near misses", "lasts")
    for name in list_drills():
        drill = load(name)
        table.add_row(
            name,
            drill.keys.level,
            drill.keys.title,
            " ".join(injected(drill)),
            ", ".join(dict.fromkeys(row.rule for row in drill.keys.expect)),
            str(len(drill.keys.forbid)),
            time_text(drill.keys.run_s),
        )
    Console().print(table)


def print_drill(name: str) -> None:
    """All of one drill. Raises ConfigurationError."""
    drill, build = open_drill(name)
    keys, console = drill.keys, Console()
    console.print(f"[bold]{keys.name}[/] ({keys.level}): {keys.title}\n{keys.about}\n")
    table = Table("at", "what", show_lines=False)
    given = f"{build.fleet.count} satellites, seed {drill.scenario.seed}"
    table.add_row("0 s", f"given: {given}; no page for {time_text(keys.quiet_s)}")
    rows = [(one.at_s, _injection(drill, index)) for index, one in enumerate(keys.inject)]
    rows += [(one.at_s, f"operator to {one.target}: {one.command()}") for one in keys.actions]
    for at_s, words in sorted(rows):
        table.add_row(f"{at_s:g} s", words)
    table.add_row(f"{keys.run_s:g} s", "end")
    console.print(table)
    for want in keys.expect:
        where = f" on {', '.join(want.targets)}" if want.targets else ""
        console.print(
            f"expect {want.rule}{where}: {want.after_s:g} to {want.within_s:g} s after {want.of}"
        )
    for back in keys.clear:
        console.print(f"clear {back.rule}: within {back.within_s:g} s of the end of {back.of}")
    for row in keys.forbid:
        console.print(f"forbid {row.rule} on {', '.join(row.targets) or 'all'}: {row.reason}")
    for also in keys.allow:
        console.print(f"allow {also.rule} on {', '.join(also.targets) or 'all'}: {also.reason}")
    console.print("forbid any other page")


def _injection(drill: Drill, index: int) -> str:
    one = drill.keys.inject[index]
    if one.id not in drill.faults:
        return f"{one.id}: {one.pipeline} in the pipeline"
    fault = drill.faults[one.id]
    named = (*fault.satellites, *fault.planes, *fault.presets, *fault.groups)
    return (
        f"{one.id}: {fault.kind.id} {fault.kind.title}, severity {fault.severity:g}, "
        f"{time_text(fault.duration_s)}, on {', '.join(named) or 'the whole fleet'}"
    )
