"""Rules of attitude and orbit control."""

from typing import Final

from twin.alert_conditions import Condition, Threshold, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="tumbling",
        title="Satellite is tumbling",
        subsystem="aocs",
        severity="critical",
        cause="attitude",
        condition=Condition(
            BUS_MEASUREMENT,
            last("aocs_rate_deg_s"),
            above=limit_of("aocs_rate_deg_s", "critical_high"),
            clear=Threshold(0.4, "a fifth below the limit (A)"),
        ),
        for_s=20.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-satellite", "strip-aocs_rate_deg_s"),
        summary="{sat}: turning at {value} deg/s",
        unit="deg/s",
        runbook=Runbook(
            meaning="The body turns far faster than facing the Earth needs: control is lost or a "
            "torque (a vent, a stuck wheel) beats it.",
            impact="The array sees the Sun for half of each turn, laser links point nowhere, the "
            "radiator is lit, drag is up to ten times larger.",
            diagnosis=(
                "Did a manoeuvre or a rollout begin just before?",
                "Rate still rising: a torque acts. Falling: control is braking, wait.",
                "Coolant level falling at the same time: the torque may be a vent.",
            ),
            action=(
                "Command safe mode; detumble.",
                "Move its jobs: no link will come back before the body is still.",
                "Warn conjunction screening: the decay rate has changed.",
            ),
        ),
    ),
)
"""Attitude rules, most urgent first."""
