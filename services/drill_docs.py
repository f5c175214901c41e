"""docs/drills.md: what a drill is, and every shipped one."""

from typing import Final

from services.drill_files import list_drills
from services.drill_show import injected, load
from services.fault_tables import time_text
from twin.drill_keys import COMMANDS
from twin.pipeline_model import PIPELINE_FAULTS

_TEXT: Final = """# Drills

Made from `drills/*.yaml` by `make generate`. A drill breaks something inside the physics, lets the
alert rules look at the telemetry that follows, and gives marks.

    twin drill run pump-failure --html report.html   # one, with plots
    twin drill run --all --junit drills.xml          # the whole set; also `make drills`
    twin drill show pump-failure                     # in words
    twin coverage --mutate                           # which rule sees which fault

It needs no server: the twin steps, its sensors report, the same evaluator as in `twin watch` judges
every 10 s of simulated time, operators' commands act as `twin send` would. The same file and seed
give the same bytes.

## A drill file

    given:    a scenario (`extends` a file, or all of its keys), with an instant as its epoch
    quiet_s:  the steady state: in this time no page may fire, and nothing is injected
    inject:   faults of the catalogue (`twin faults list`) or of the pipeline: when, where, how far
    actions:  what operators do: {commands}
    expect:   rule, on whom (`targets`; else those that were hit), not before `after_s` and not
              later than `within_s` after the injection `of` began (`of: given`: after the start,
              for what the scenario itself brings); `severity` and `cause`: the route
    clear:    the rule has resolved within a time after the injection ended or was healed
    forbid:   near misses: a rule that may not fire on these targets, and why
    allow:    pages besides the expected that are right, and why; every other page is a failure

Faults of the pipeline are {pipeline}:
counters of the services as they would be (`twin/pipeline_model.py`); `make chaos` breaks real ones.

## Marks

- **True at**: the instant at which the rule's own condition holds for perfect sensors; between two
  steps of the physics the value is taken to go straight through the threshold.
  Windows that only steady a reading (least, largest, mean) count as delay; those that are the
  quantity itself (growth in five minutes) do not. A drill may state the instant: `true_at: onset`.
- **Delay**: from there to firing. More than window + `for` + one evaluation fails the drill
  (one report, where reports are rarer than evaluations).
- **False**: a page that is neither expected nor allowed. Tickets (warnings) do not count.
- **Messages**: notifications through our policies (rule and cause are a group), so that a storm of
  a thousand alerts is seen to be a few messages.
- **Points**: 100 x share seen in time x right pages over all pages x share resolved in time.

## The set

"""


def drills_page() -> str:
    """docs/drills.md."""
    lines = []
    for level in ("bronze", "silver", "gold"):
        drills = [one for one in map(load, list_drills()) if one.keys.level == level]
        if not drills:
            continue
        lines += [
            f"### {level.title()}",
            "",
            "| drill | breaks | sees | lasts |",
            "|---|---|---|---|",
        ]
        for drill in drills:
            sees = ", ".join(f"`{one}`" for one in dict.fromkeys(r.rule for r in drill.keys.expect))
            near = len({row.rule for row in drill.keys.forbid})
            note = f"{near} near misses" if near else ""
            lines.append(
                f"| `{drill.name}`: {drill.keys.title} | {', '.join(injected(drill)) or 'nothing'} "
                f"| {sees}{'; ' if sees and note else ''}{note} | {time_text(drill.keys.run_s)} |"
            )
        lines.append("")
    head = _TEXT.replace("{commands}", ", ".join(f"`{one}`" for one in COMMANDS))
    head = head.replace("{pipeline}", ", ".join(f"`{one}`" for one in PIPELINE_FAULTS))
    return head + "\n".join(lines).rstrip() + "\n"
