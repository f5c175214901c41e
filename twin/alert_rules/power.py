"""Rules of the electrical power system."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Rule, Runbook
from twin.alert_rules.places import FULL_SUN, STATES, strip
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="battery_critical",
        title="Battery critically low",
        subsystem="eps",
        severity="critical",
        cause="charge",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_soc_pct"),
            below=limit_of("eps_soc_pct", "critical_low"),
            clear=Threshold(30.0, "5 points of hysteresis above the limit (A)"),
        ),
        for_s=20.0,
        keep_firing_s=60.0,
        dashboard=strip("eps_soc_pct"),
        summary="{sat}: battery at {value} %",
        unit="%",
        runbook=Runbook(
            meaning="The battery holds less charge than the critical limit. The power controller "
            "sheds the payload at about the same level and goes safe below it.",
            impact="All compute work on the satellite stops. Below safe, housekeeping is at risk: "
            "a satellite that browns out may not come back.",
            diagnosis=(
                "In eclipse? Compare the charge with the forecast for the eclipse's end.",
                "In sunlight: is array power what the model expects, or does array_short fire?",
                "Is the load higher than planned, or a heater stuck on?",
                "Cell spread above 120 mV, or a sudden step of charge: suspect the battery itself.",
            ),
            action=(
                "Limit the payload (`twin send FLEET SAT limit-compute`) until charge rises.",
                "Drain the jobs to a neighbour before the controller sheds them.",
                "If the array is short, go to the rule of the array first: this is its symptom.",
            ),
        ),
    ),
    Rule(
        name="eclipse_end_charge_low",
        title="Charge will not last this eclipse",
        subsystem="eps",
        severity="critical",
        cause="charge",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_soc_eclipse_end_pct"),
            below=limit_of("eps_soc_eclipse_end_pct", "critical_low"),
            when=(
                Comparison(
                    last("orb_sunlit_frac"), below=Threshold(0.001, "in the umbra (definition)")
                ),
            ),
        ),
        for_s=30.0,
        keep_firing_s=60.0,
        dashboard=strip("eps_soc_eclipse_end_pct"),
        summary="{sat}: {value} % of charge left at the end of this eclipse",
        unit="%",
        runbook=Runbook(
            meaning="At the present draw the charge at the end of the eclipse under way falls "
            "below the level at which the controller goes safe. This fires minutes ahead of it.",
            impact="If nothing changes the payload is cut in the shadow and its work since the "
            "last checkpoint is lost.",
            diagnosis=(
                "How long does the shadow last? An eclipse season may have begun unplanned.",
                "Was the battery full at entry? If not, look at the last sunlit half of the orbit.",
                "Is the payload drawing more than its eclipse share?",
            ),
            action=(
                "Checkpoint training now, then limit the payload until sunrise.",
                "Set an eclipse share for the rest of the season.",
            ),
        ),
    ),
    Rule(
        name="power_unserved",
        title="The bus cannot serve its loads",
        subsystem="eps",
        severity="critical",
        cause="charge",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_unserved_w"),
            above=limit_of("eps_unserved_w", "warning_high"),
        ),
        for_s=30.0,
        keep_firing_s=60.0,
        dashboard=strip("eps_unserved_w"),
        summary="{sat}: {value} W of the load are not served",
        unit="W",
        runbook=Runbook(
            meaning="Array and battery together give less than what is switched on. In a healthy "
            "satellite this is 0 in every mode, because loads are shed before it happens.",
            impact="Bus voltage sags by a tenth; equipment drops out in no chosen order.",
            diagnosis=(
                "Battery empty? Then the satellite has been running down for a while: see charge.",
                "Charge left: the discharge limit of the battery, or dead cells, is the bound.",
                "Load above plan: a heater stuck on, a rail in latch-up.",
            ),
            action=(
                "Switch the payload off altogether, then heaters by branch.",
                "Point the array at the Sun by attitude if its drive does not.",
            ),
        ),
    ),
    Rule(
        name="safe_mode",
        title="Satellite in safe mode",
        subsystem="eps",
        severity="critical",
        cause="safe_mode",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_mode"),
            above=limit_of("eps_mode", "critical_high"),
        ),
        for_s=0.0,
        keep_firing_s=120.0,
        dashboard=STATES,
        summary="{sat}: safe mode (mode {value})",
        runbook=Runbook(
            meaning="Fault detection, the power controller or a command has put the satellite into "
            "safe mode: payload off, Sun pointing, housekeeping only.",
            impact="No compute. Its work since the last checkpoint is lost; neighbours carry more.",
            diagnosis=(
                "Which of charge, rate or a command came first? Look at the minute before.",
                "Planned (docking approach, rollout)? Then a mute timing was forgotten.",
                "Several satellites: stop, and look for the common cause (fleet_safe_share).",
            ),
            action=(
                "Find the root cause before the exit: satellites have gone straight back in.",
                "Leave safe mode in stages: attitude, power, thermal, hosts, then accelerators.",
            ),
        ),
    ),
    Rule(
        name="load_shed",
        title="Payload shed for lack of power",
        subsystem="eps",
        severity="warning",
        cause="charge",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_mode"),
            above=limit_of("eps_mode", "warning_high"),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=STATES,
        summary="{sat}: load is shed (mode {value})",
        runbook=Runbook(
            meaning="The power controller has cut the payload to protect the charge.",
            impact="Jobs stop or move; goodput falls. The satellite itself is not in danger yet.",
            diagnosis=(
                "In eclipse: was the season's schedule set for this orbit?",
                "In sunlight: look at the array against its model.",
            ),
            action=(
                "Let it charge; the mode ends by itself.",
                "If it comes every orbit, lower the eclipse share of the payload.",
            ),
        ),
    ),
    Rule(
        name="draining_in_sunlight",
        title="Battery drains in full sunlight",
        subsystem="eps",
        severity="warning",
        cause="charge",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_soc_pct"),
            below=limit_of("eps_soc_pct", "warning_low"),
            when=(
                FULL_SUN,
                Comparison(
                    Reading("eps_batt_w", "mean"),
                    below=Threshold(-10.0, "discharging by more than sensors err (A)"),
                ),
            ),
            window_s=300.0,
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=strip("eps_soc_pct"),
        summary="{sat}: {value} % of charge and falling in full sunlight",
        unit="%",
        runbook=Runbook(
            meaning="The charge is low and still goes down although the Sun is in full view: the "
            "satellite spends more than it earns.",
            impact="The next eclipse begins with a battery that cannot carry it.",
            diagnosis=(
                "array_short or a Sun angle beside it: less comes in.",
                "Neither: more goes out than planned; look at payload and heater power.",
            ),
            action=(
                "Limit the payload below what the array gives now.",
                "Cancel bursts until the battery is back above half.",
            ),
        ),
    ),
)
"""Power rules, most urgent first."""
