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
every 10 s of simulated time, operators' commands act as `twin send` would, a hundred satellites a
thousand times faster than real time (`twin bench drills`). The same file and seed
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

## On a running stack

    twin drill scenario pump-failure --out pump.yaml
    twin up --scenario pump.yaml --rate 10             # any rate; own servers as usual
    twin drill run pump-failure --live

Faults go as commands of the drill operator, alerts come from `twin watch`, the same drill off
line is run beside it. Ctrl-C or a failure heals what was broken.

With `--grafana` the alerts are Grafana's, after `twin provision apply`. Grafana judges the
present, so simulator and drill get one epoch, the instant of the start, and rate 1:

    export TWIN_EPOCH=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    twin up --scenario pump.yaml --rate 1
    twin drill run pump-failure --live --grafana       # TWIN_GRAFANA_URL, TWIN_GRAFANA_TOKEN_FILE

- **States** of all our rules are asked for every 2 s (`/api/prometheus/grafana/api/v1/rules`);
  they say which alerts fire since when, and up to when Grafana has looked.
- **Webhooks**, if a contact point sends them: `POST http://127.0.0.1:8087/drill`
  (`TWIN_DRILL_LISTEN`). Beyond loopback, and wherever `TWIN_DRILL_TOKEN_FILE` is set, they must
  bear the token (`Authorization: Bearer`) that `make secrets` makes, `secrets/drill_token`:
  `twin provision apply` with the same `TWIN_DRILL_TOKEN_FILE`, and with `TWIN_ALERT_DRILL_URL`
  (this address as Grafana reaches it), gives it to the contact point. They give the instants of
  the end. A drill's fleet is named `drill-...`, so that Grafana's policies page nobody for it.
- An alert is known by our label `rule`, the labels of its series and its start: told twice, or by
  both ways, it counts once. A rule whose query fails is named at the end.

Tried on a stand-in for Grafana's API as 9.4 and 13 have it, not on a real one. `make drills-live`
runs drills on real mosquitto and influxd: by the watcher, and by a stand-in that asks the store
with the rules' own queries.

## A campaign

`twin drill campaign pump-failure --out pump --severities 0.1,0.3,1 --seeds 20` runs one drill
many times on Dask workers. A result carries the hash of the code of the worker that made it;
where the code was edited during the campaign, the results of workers that started later are
refused and reported, and the next start runs those cases. `make campaign-proof` kills workers, and
once the whole campaign, and compares every result with a serial run.

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
