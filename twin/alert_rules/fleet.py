"""Rules of the fleet as a whole: one page for a cause, however many satellites it strikes."""

from typing import Final

from twin.alert_conditions import (
    FLEET_WATCH_MEASUREMENT,
    Comparison,
    Condition,
    Expression,
    Number,
    Reading,
    Threshold,
    last,
    limit_of,
)
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.places import FEW
from twin.channels import FLEET_MEASUREMENT


def share_pct(field: str) -> Expression:
    """A count of satellites over all that report."""
    return Number(100.0) * (last(field) / last("sats_count"))


RULES: Final = (
    Rule(
        name="fleet_silent",
        title="No telemetry of any satellite",
        subsystem="tm",
        severity="critical",
        cause="telemetry",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("sats_count"),
            below=Threshold(0.5, "not one (definition)"),
            breach_only=False,
        ),
        for_s=60.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-pipeline", "reporting"),
        summary="{fleet}: {value} satellites report",
        no_data="alerting",
        runbook=Runbook(
            meaning="For minutes no row of the fleet has reached the store, or the rows say that "
            "nobody reports. This is the one rule that fires when there is nothing to read.",
            impact="All other rules are blind and quiet: their silence means nothing.",
            diagnosis=(
                "Do the services run, and what do store_down and broker_down say?",
                "Does the store answer at all? A query error shows on every rule.",
                "All well on the ground: the gateway or the network to it.",
            ),
            action=(
                "Restore the way from the end: store, ingester, broker, gateway.",
                "Then `twin gaps repair`; read what happened meanwhile before trusting a green "
                "wall.",
            ),
        ),
    ),
    Rule(
        name="fleet_silent_share",
        title="Many satellites silent",
        subsystem="tm",
        severity="critical",
        cause="telemetry",
        condition=Condition(
            FLEET_WATCH_MEASUREMENT,
            Number(100.0) * (last("silent_count") / last("reachable_count")),
            above=Threshold(5.0, "% of those in contact; canaries that may fail, survey 5.3 (A)"),
            clear=Threshold(3.0, "hysteresis (A)"),
            when=(Comparison(last("silent_count"), above=FEW),),
            window_s=60.0,
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-pipeline", "silent"),
        summary="{fleet}: {value} % of the satellites in contact are silent",
        unit="%",
        runbook=Runbook(
            meaning="More than one satellite in twenty of those that could send has been overdue "
            "for more than two minutes. Satellites out of contact count neither way: they are "
            "late, not dead. Single ones are tickets; this is one cause that strikes many.",
            impact="Every rule is blind to the silent ones, and the fleet's numbers are of those "
            "that still talk.",
            diagnosis=(
                "One plane, one shard, one gateway? Group the satellite alerts by plane: then it "
                "is that link.",
                "All of one image or one batch? Then the rollout or a command did it.",
                "Do services report trouble (broker_drops, reports_skipped, ingest_behind)? Then "
                "the cause is on the ground.",
                "All of them: fleet_silent says whether any row comes at all.",
            ),
            action=(
                "Freeze rollouts and mass commands until the cause is known.",
                "On the ground: restore the way, then `twin gaps repair`.",
                "Up there: ask one for housekeeping on the backup link before the others.",
            ),
        ),
    ),
    Rule(
        name="fleet_critical_share",
        title="Many satellites critical",
        subsystem="sat",
        severity="critical",
        cause="fleet",
        condition=Condition(
            FLEET_MEASUREMENT,
            share_pct("critical_count"),
            above=Threshold(5.0, "share of canaries that may fail, fleet survey 5.3 (A)"),
            clear=Threshold(3.0, "hysteresis (A)"),
            when=(Comparison(last("critical_count"), above=FEW),),
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-fleet", "health"),
        summary="{fleet}: {value} % of the satellites break a critical limit",
        unit="%",
        runbook=Runbook(
            meaning="More of the fleet breaks a critical limit at the same time than single faults "
            "explain: there is one cause.",
            impact="Capacity falls everywhere at once; single alerts drown the cause.",
            diagnosis=(
                "Which subsystem do the satellite alerts share? Group them by cause.",
                "Space weather, a rollout, a scheduler's decision, a ground outage: what began "
                "when the share rose?",
            ),
            action=(
                "Treat the cause, not the satellites.",
                "Freeze rollouts and mass commands until it is found.",
            ),
        ),
    ),
    Rule(
        name="fleet_safe_share",
        title="Several satellites in safe mode",
        subsystem="eps",
        severity="critical",
        cause="safe_mode",
        condition=Condition(
            FLEET_MEASUREMENT,
            share_pct("safe_count"),
            above=Threshold(1.0, "% of the fleet, fleet survey 5.3 (A)"),
            when=(Comparison(last("safe_count"), above=FEW),),
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-fleet", "planes-mode_max"),
        summary="{fleet}: {value} % of the satellites in safe mode",
        unit="%",
        runbook=Runbook(
            meaning="More than one satellite and more than one in a hundred are in safe mode.",
            impact="A common cause may take the rest: in February 2022 a fleet could not leave it.",
            diagnosis=(
                "Same plane, same image, same minute? Same height: the air.",
                "Did a mass command or a time-tagged sequence run just before?",
            ),
            action=(
                "Stop everything that goes to all satellites.",
                "Bring one back first, and wait an orbit before the second.",
            ),
        ),
    ),
    Rule(
        name="fleet_throttling",
        title="Throttling spreads over the fleet",
        subsystem="tcs",
        severity="critical",
        cause="heat",
        condition=Condition(
            FLEET_MEASUREMENT,
            share_pct("throttled_count"),
            above=Threshold(5.0, "% of the fleet, drill T8 of the fleet survey (A)"),
            clear=Threshold(3.0, "hysteresis (A)"),
            when=(Comparison(last("throttled_count"), above=FEW),),
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-thermal", "throttle"),
        summary="{fleet}: heat cuts the clock of {value} % of the satellites",
        unit="%",
        runbook=Runbook(
            meaning="Clocks are cut by heat on many satellites at once: the scheduler packs hot "
            "nodes, or something warms a whole cluster.",
            impact="A cascade: slower nodes make queues, queues make retries, retries make heat.",
            diagnosis=(
                "Did offered load rise first, or temperature?",
                "One cluster, neighbours in each other's view? One plane, hot season?",
            ),
            action=(
                "Cap power first, for the whole group, and only then admission.",
                "Spread the load to cold planes; lift the cap in steps.",
            ),
        ),
    ),
    Rule(
        name="fleet_accelerators_short",
        title="Fleet short of accelerators",
        subsystem="accel",
        severity="critical",
        cause="accelerators",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("accel_available_mean_pct"),
            below=limit_of("accel_available_pct", "critical_low"),
            clear=Threshold(88.0, "hysteresis (A)"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-compute", "available"),
        summary="{fleet}: {value} % of the accelerators in service",
        unit="%",
        runbook=Runbook(
            meaning="Over the whole fleet more accelerators are out than the plan can bear.",
            impact="Tenants' quotas cannot be met; low priorities are preempted.",
            diagnosis=(
                "Upsets (storm), rollout, or wear that nobody replaced?",
                "Recovering ones come back within minutes: wait for the trend first.",
            ),
            action=("Preempt by priority; bring spares or ground capacity in.",),
        ),
    ),
    Rule(
        name="rollout_failing",
        title="Firmware rollout is failing",
        subsystem="obc",
        severity="critical",
        cause="rollout",
        condition=Condition(
            FLEET_MEASUREMENT,
            Number(100.0)
            * (Reading("host_down_count", "mean") / Reading("new_image_count", "mean")),
            above=Threshold(30.0, "% of the new image's hosts down: a bad image boots 71 % (A)"),
            when=(
                Comparison(
                    Reading("new_image_count", "min"),
                    above=Threshold(0.5, "a rollout is under way (definition)"),
                ),
            ),
            window_s=600.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-fleet", "health"),
        summary="{fleet}: {value} % of the hosts with the new image are down",
        unit="%",
        runbook=Runbook(
            meaning="Of the satellites that run the image being rolled out, many have their host "
            "down: the canaries say no.",
            impact="Each further wave takes a part of the fleet's compute with it.",
            diagnosis=(
                "Does it boot and fall again (a loop of minutes)? Which log line is last?",
                "Hosts with the old image down too? Then it is not the image.",
            ),
            action=(
                "Freeze the rollout now; roll the canaries back.",
                "Do not retry before the cause is known.",
            ),
        ),
    ),
    Rule(
        name="satellites_missing",
        title="Satellites of the plan are not in service",
        subsystem="sat",
        severity="warning",
        cause="launch",
        condition=Condition(
            FLEET_MEASUREMENT,
            last("out_of_service_count"),
            above=Threshold(0.5, "one satellite (definition)"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=Dashboard("twin-fleet", "kpi-sats_count"),
        summary="{fleet}: {value} satellites not in service",
        runbook=Runbook(
            meaning="Satellites that the plan counts on are not there: a launch slipped or was "
            "lost.",
            impact="Capacity is below plan; gaps in a ring or a cluster break links.",
            diagnosis=(
                "A slip (it ends) or a loss (it does not)?",
                "How many spares are in orbit, and where?",
            ),
            action=(
                "Plan tenants again for the capacity that is there.",
                "Move spares; order the replacement launch.",
            ),
        ),
    ),
)
"""Fleet rules, most urgent first."""
