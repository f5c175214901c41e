"""Rules of the network and the ground, seen from the whole fleet."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Number, Reading, Threshold, last
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import FLEET_MEASUREMENT, PLANE_MEASUREMENT

RULES: Final = (
    Rule(
        name="network_split",
        title="The network has come apart",
        subsystem="isl",
        severity="critical",
        cause="partition",
        condition=Condition(
            FLEET_MEASUREMENT,
            Reading("isl_largest_pct", "max") - last("isl_largest_pct"),
            above=Threshold(2.0, "points of the satellites with links (A)"),
            when=(
                Comparison(
                    last("isl_parts_count") - Reading("isl_parts_count", "min"),
                    above=Threshold(0.5, "one part more than within the hour (definition)"),
                ),
            ),
            window_s=3600.0,
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-network", "largest"),
        summary="{fleet}: the largest connected part lost {value} points of the satellites",
        unit="%",
        runbook=Runbook(
            meaning="The graph of laser links has more parts than within the last hour, and its "
            "largest part is smaller.",
            impact="Synchronous training that spans the cut waits; one half's housekeeping may "
            "have "
            "no way to the ground.",
            diagnosis=(
                "Which links are gone: those between planes (geometry, poles) or around one node?",
                "A single satellite fallen out of a ring is a split too: see links_down.",
            ),
            action=(
                "Pause training across the cut; let each half run on its own.",
                "Route over the ground or a relay; bring the crossing links back one by one.",
            ),
        ),
    ),
    Rule(
        name="plane_split",
        title="A plane has come apart",
        subsystem="isl",
        severity="warning",
        cause="partition",
        condition=Condition(
            PLANE_MEASUREMENT,
            Reading("isl_largest_pct", "max") - last("isl_largest_pct"),
            above=Threshold(2.0, "points of the plane's satellites with links (A)"),
            window_s=3600.0,
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-network", "largest"),
        summary="{plane}: {value} points of its satellites have lost the rest of the plane",
        unit="%",
        runbook=Runbook(
            meaning="Fewer satellites of this plane are in one connected part than within the last "
            "hour. network_split pages when the largest part of the fleet shrinks; a split in any "
            "other part of it shows only here.",
            impact="Training that spans the cut waits; what was cut off may have no way to the "
            "ground.",
            diagnosis=(
                "A satellite in the middle of a chain: see links_down. At its end: only itself.",
                "Planes with crossing links come apart only where those are gone as well.",
            ),
            action=("Route over the ground or a relay; close the gap with the next satellites.",),
        ),
    ),
    Rule(
        name="contact_lost",
        title="Contact lost across the fleet",
        subsystem="gnd",
        severity="warning",
        cause="ground",
        condition=Condition(
            FLEET_MEASUREMENT,
            Number(100.0) * (last("contact_count") / last("sats_count")),
            below=Threshold(50.0, "% of the satellites (A)"),
            when=(
                Comparison(
                    Number(100.0)
                    * (Reading("contact_count", "mean") / Reading("sats_count", "mean")),
                    above=Threshold(
                        60.0, "a fleet in contact most of the time: relays or many planes (A)"
                    ),
                ),
                Comparison(last("sats_count"), above=Threshold(9.5, "ten satellites (A)")),
                Comparison(
                    Reading("contact_count", "count"),
                    above=Threshold(15.5, "the window is not just beginning (A)"),
                ),
            ),
            window_s=3600.0,
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-network", "contact"),
        summary="{fleet}: {value} % of the satellites in contact; most were within the hour",
        unit="%",
        runbook=Runbook(
            meaning="A fleet in contact most of the time, through relays or many planes, has "
            "lost contact with half of its satellites or more. It fires for the first 20 minutes "
            "or so; after two hours ground_outage pages. A ticket, because the first passes of "
            "a cluster after a start look alike.",
            impact="No commands, no results; recorders fill. The satellites themselves are well: "
            "they are late, not dead.",
            diagnosis=(
                "Relay, gateway or our own network? Do the stations still see anybody?",
                "Did software change on the ground within the hour?",
            ),
            action=(
                "Divert to stations; raise compression, send housekeeping only.",
                "Tell the tenants how long recorders last.",
            ),
        ),
    ),
    Rule(
        name="ground_outage",
        title="Nobody has reached the ground for two hours",
        subsystem="gnd",
        severity="critical",
        cause="ground",
        condition=Condition(
            FLEET_MEASUREMENT,
            Reading("contact_count", "max"),
            below=Threshold(0.5, "not one (definition)"),
            when=(
                Comparison(
                    Reading("sats_count", "min"), above=Threshold(9.5, "ten satellites (A)")
                ),
            ),
            window_s=600.0,
        ),
        for_s=6600.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-network", "contact"),
        summary="{fleet}: {value} satellites in contact, for two hours",
        runbook=Runbook(
            meaning="For two hours none was in view of a station that answered: longer than "
            "any gap between passes. A train that flies together waits up to 85 minutes, a "
            "shell 18.",
            impact="Backlog and recorders fill; commands wait.",
            diagnosis=(
                "Weather at all sites at once is rare: software, network, or an attack.",
                "Are the stations' own reports there?",
            ),
            action=("Divert to another provider's stations.", "Restore the core network first."),
        ),
    ),
)
"""Network rules, most urgent first."""
