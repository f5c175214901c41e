"""Rules of the electrical power system."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import BUS_MEASUREMENT

FULL_SUN: Final = Comparison(
    Reading("orb_sunlit_frac", "min"),
    above=Threshold(0.999, "no shadow in the whole window (A)"),
)
"""The satellite was in full sunlight during the whole window."""

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
        dashboard=Dashboard("twin-satellite", "strip-eps_soc_pct"),
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
                "Cell spread above 50 mV, or a sudden step of charge: suspect the battery itself.",
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
        dashboard=Dashboard("twin-satellite", "strip-eps_soc_eclipse_end_pct"),
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
        name="array_short",
        title="Solar array far below its model",
        subsystem="eps",
        severity="critical",
        cause="array",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_array_loss_pct"),
            above=limit_of("eps_array_loss_pct", "critical_high"),
            when=(FULL_SUN,),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-satellite", "strip-eps_array_loss_pct"),
        summary="{sat}: array {value} % short of its model in full sunlight",
        unit="%",
        runbook=Runbook(
            meaning="In full sunlight the array could deliver far less than the model of the same "
            "array, undamaged, at its age and temperature. Eclipse and penumbra do not count.",
            impact="The satellite cannot sustain its payload; charge falls orbit by orbit.",
            diagnosis=(
                "Is the Sun angle off (aocs_sun_err_deg)? Then attitude is the cause.",
                "A step of a twentieth: a string. Of a quarter: a power-point tracker.",
                "A loss that swings over the orbit: an array drive that stands still.",
                "sat_deploy not 0: a wing did not unfold.",
            ),
            action=(
                "Limit the payload to what the array carries before the battery does it for you.",
                "Switch the tracker's channel, or yaw towards the Sun if the drive is stuck.",
            ),
        ),
    ),
)
"""Power rules, most urgent first."""
