"""The roll-ups of an offline run over its time, as one PNG."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from services.plotting import pyplot
from twin.state import FloatArray

MAIN, SECOND, THIRD = "#2b6c8f", "#c8862b", "#a33a2b"
_SPANS: Final = ((2 * 86_400.0, 86_400.0, "Days"), (2 * 3600.0, 3600.0, "Hours"))
_PREFIXES: Final = ((1e9, "GW"), (1e6, "MW"), (1e3, "kW"))


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def plot_run(path: Path, title: str, elapsed_s: FloatArray, fields: dict[str, FloatArray]) -> None:
    """Draw six panels of the fleet's roll-ups (t,) under their names in twin.rollups.FIELDS."""
    plt = pyplot()
    figure, axes = plt.subplots(3, 2, sharex=True, figsize=(10.0, 7.0))
    span_s, unit_s, unit = float(elapsed_s[-1]), 60.0, "Minutes"
    for least_s, size_s, name in _SPANS:
        if span_s >= least_s:
            unit_s, unit = size_s, name
            break
    time = elapsed_s / unit_s
    for axis, (label, lines) in zip(axes.flat, _panels(fields).items(), strict=True):
        for (name, values), color in zip(lines.items(), (MAIN, SECOND, THIRD), strict=False):
            axis.plot(
                time, values, color=color, linewidth=1.3, label=name, marker=_marker(time.size)
            )
        axis.set_title(label, fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
        axis.margins(x=0.01, y=0.15)
        axis.grid(color="#e6e6e6", linewidth=0.6)
        axis.ticklabel_format(axis="y", useOffset=False)
        if len(lines) > 1:
            axis.legend(fontsize=7, frameon=False, ncols=len(lines), loc="best")
    for axis in axes[-1]:
        axis.set_xlabel(f"{unit} since the epoch", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


def _marker(count: int) -> str:
    return "." if count <= 30 else ""


def _panels(fields: dict[str, FloatArray]) -> dict[str, dict[str, FloatArray]]:
    count = np.maximum(fields["sats_count"], 1.0)
    largest_w = max(float(np.nanmax(fields["array_w"])), float(np.nanmax(fields["compute_w"])))
    scale, unit = next((one for one in _PREFIXES if largest_w >= one[0]), (1.0, "W"))
    share = {name: 100.0 * fields[name] / count for name in ("sunlit_count", "in_saa_count")}
    unwell = {name: 100.0 * fields[f"{name}_count"] / count for name in ("warning", "critical")}
    return {
        "Satellites in full sunlight [%]": {"sunlit": share["sunlit_count"]},
        "Battery charge [%]": {
            "mean": fields["soc_mean_pct"],
            "least": fields["soc_min_pct"],
        },
        f"Power [{unit}]": {
            "from the arrays": fields["array_w"] / scale,
            "to the payloads": fields["compute_w"] / scale,
        },
        "Hottest accelerator of the fleet [C]": {"hottest": fields["die_max_t_c"]},
        "Goodput [%]": {"mean": fields["goodput_mean_pct"]},
        "Satellites outside limits, or in the South Atlantic anomaly [%]": {
            "warning": unwell["warning"],
            "critical": unwell["critical"],
            "in the anomaly": share["in_saa_count"],
        },
    }
