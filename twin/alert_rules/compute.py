"""Rules of accelerators, hosts and jobs."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, growth, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.alert_rules.places import FULL_SUN, STATES, strip
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="retry_storm",
        title="Jobs restart in a storm",
        subsystem="job",
        severity="critical",
        cause="scheduler",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("job_restarts_count"),
            above=Threshold(20.0, "four a minute; a healthy satellite has none (A)"),
            window_s=300.0,
        ),
        for_s=30.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-compute", "restarts"),
        summary="{sat}: {value} restarts in five minutes",
        runbook=Runbook(
            meaning="Jobs are started again and again: everything retries at once after a fault.",
            impact="Work is done in vain, the queue grows, and the retries keep the fault alive.",
            diagnosis=(
                "What failed just before the first restarts?",
                "Do restarts come without any back-off, on all satellites of a tenant?",
            ),
            action=(
                "Stop admission for the tenant, then let it back in slowly.",
                "Switch the scheduler's circuit breaker; lengthen its back-off.",
            ),
        ),
    ),
    Rule(
        name="accelerators_missing",
        title="Accelerators out of service",
        subsystem="accel",
        severity="warning",
        cause="accelerators",
        condition=Condition(
            BUS_MEASUREMENT,
            last("accel_available_pct"),
            below=limit_of("accel_available_pct", "critical_low"),
        ),
        for_s=900.0,
        keep_firing_s=600.0,
        dashboard=strip("accel_available_pct"),
        summary="{sat}: {value} % of the accelerators in service",
        unit="%",
        runbook=Runbook(
            meaning="For a quarter of an hour more accelerators than the limit allows have been "
            "out: "
            "a reset takes minutes, so these are lost or stuck. A ticket: hard failures are part "
            "of "
            "every day in a large fleet; the page is the fleet's (fleet_accelerators_short).",
            impact="The satellite does its share of the work; synchronous jobs need a spare.",
            diagnosis=(
                "Failed (state 2) or recovering (state 1)? Which Xid was last?",
                "Several at once on one board: its rail or its host.",
            ),
            action=(
                "Reset, then power-cycle; retire what does not come back.",
                "Take the satellite out of synchronous jobs until then.",
            ),
        ),
    ),
    Rule(
        name="host_reboot_loop",
        title="Payload host reboots in a loop",
        subsystem="obc",
        severity="critical",
        cause="rollout",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("obc_host_state", "mean"),
            above=Threshold(0.4, "down for 40 % of the time; one reboot of 2 min is 13 % (A)"),
            window_s=900.0,
        ),
        for_s=60.0,
        keep_firing_s=600.0,
        dashboard=STATES,
        summary="{sat}: host was down for {value} of the last 15 min",
        runbook=Runbook(
            meaning="The host was rebooting for much of the last quarter of an hour. A particle "
            "makes one reboot; this is a loop.",
            impact="No work on any of its accelerators; training falls back to the checkpoint "
            "each time.",
            diagnosis=(
                "obc_fw_version 1: the image of the rollout. Stop it (see rollout_failing).",
                "Fleet's image: storage or memory of the host.",
            ),
            action=("Boot the previous image.", "Freeze the rollout."),
        ),
    ),
    Rule(
        name="checkpoint_overdue",
        title="Checkpoints are overdue",
        subsystem="job",
        severity="warning",
        cause="storage",
        condition=Condition(
            BUS_MEASUREMENT,
            last("job_ckpt_age_s"),
            above=Threshold(1800.0, "twice the planned 900 s, fleet survey 5.3 (A)"),
            when=(
                Comparison(
                    Reading("eps_compute_w", "min"),
                    above=Threshold(20.0, "the payload is on in the whole window (A)"),
                ),
            ),
            window_s=900.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-compute", "kpi-ckpt_age_max_s"),
        summary="{sat}: last checkpoint {value} s ago",
        unit="s",
        runbook=Runbook(
            meaning="The payload is on and no checkpoint was written for twice the planned "
            "interval.",
            impact="Everything since then is lost at the next restart.",
            diagnosis=(
                "Storage full or failed? Drives die in orbit: nine of twenty did on the station.",
                "Links down, where checkpoints go to a neighbour?",
            ),
            action=(
                "Write locally and less; copy later.",
                "Move the job while it is still healthy.",
            ),
        ),
    ),
    Rule(
        name="work_stalled",
        title="Work waits and nothing runs",
        subsystem="job",
        severity="warning",
        cause="scheduler",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("job_util_pct", "mean"),
            below=Threshold(5.0, "% of utilisation: stalled, fleet survey 5.2 (A)"),
            when=(
                Comparison(
                    Reading("job_queue_s", "min"), above=Threshold(60.0, "a minute of work (A)")
                ),
                Comparison(
                    Reading("eps_compute_w", "min"),
                    above=Threshold(20.0, "the payload is on in the whole window (A)"),
                ),
                Comparison(last("eps_mode"), below=Threshold(1.5, "no load shed (definition)")),
                FULL_SUN,
            ),
            window_s=300.0,
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-compute", "work"),
        summary="{sat}: {value} % of utilisation while work waits",
        unit="%",
        runbook=Runbook(
            meaning="In full sunlight the payload is powered, work waits, and nothing is done.",
            impact="Energy is burnt for nothing; deadlines of the waiting jobs pass.",
            diagnosis=(
                "Synchronous training that waits for a lost neighbour (network_split)?",
                "Checkpoints that do not end (checkpoint_overdue)?",
            ),
            action=(
                "Release what they wait for, or drain the jobs.",
                "Let inference use the node meanwhile.",
            ),
        ),
    ),
)
"""Compute rules, most urgent first."""
