"""Rules of links between satellites."""

from typing import Final

from twin.alert_conditions import Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Rule, Runbook
from twin.alert_rules.places import strip
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="links_down",
        title="Laser links down",
        subsystem="isl",
        severity="critical",
        cause="links",
        condition=Condition(
            BUS_MEASUREMENT,
            last("isl_up_pct"),
            below=limit_of("isl_up_pct", "critical_low"),
        ),
        for_s=120.0,
        keep_firing_s=120.0,
        dashboard=strip("isl_up_pct"),
        summary="{sat}: {value} % of its laser links up",
        unit="%",
        runbook=Runbook(
            meaning="Most of the satellite's links have been down for two minutes: longer than "
            "pointing and tracking need to bring one back.",
            impact="It is cut off from its neighbours: synchronous jobs stop, results wait for a "
            "pass over a station.",
            diagnosis=(
                "Attitude off by more than a degree: no terminal can point.",
                "Attitude well: are the neighbours there, and do they report the same link?",
                "Clock wrong? Both ends must agree when to look.",
            ),
            action=(
                "Reroute; run the acquisition again from both ends.",
                "Move synchronous jobs off the satellite.",
            ),
        ),
    ),
    Rule(
        name="links_flapping",
        title="Laser links come and go",
        subsystem="isl",
        severity="warning",
        cause="links",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("isl_up_pct", "mean"),
            below=Threshold(95.0, "% of ten minutes; 99.99 % were flown (S24, A)"),
            window_s=600.0,
        ),
        for_s=60.0,
        keep_firing_s=600.0,
        dashboard=strip("isl_up_pct"),
        summary="{sat}: links up for {value} % of ten minutes",
        unit="%",
        runbook=Runbook(
            meaning="Over ten minutes links were down for more than half a minute in all, though "
            "each time they came back.",
            impact="Every drop costs 15 s of acquisition; collectives of training wait for each.",
            diagnosis=(
                "One link of the satellite, or all? One: that terminal. All: its pointing.",
                "Margin near 0 dB before the drops: range or misalignment.",
            ),
            action=("Take the terminal out of routing; calibrate its pointing.",),
        ),
    ),
    Rule(
        name="link_margin_thin",
        title="Laser link margin thin",
        subsystem="isl",
        severity="warning",
        cause="links",
        condition=Condition(
            BUS_MEASUREMENT,
            last("isl_margin_db"),
            below=limit_of("isl_margin_db", "critical_low"),
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("isl_margin_db"),
        summary="{sat}: weakest link has {value} dB left",
        unit="dB",
        runbook=Runbook(
            meaning="The weakest link that is up has less than the critical margin.",
            impact="Bit errors now, a drop at the next disturbance.",
            diagnosis=(
                "Range longer than planned: the formation drifts.",
                "Range as planned: pointing (a geomagnetic storm adds a decibel) or the optics.",
            ),
            action=("Lower the rate of the link; correct range or pointing.",),
        ),
    ),
)
"""Link rules, most urgent first."""
