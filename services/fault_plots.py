"""A fault's channels with and without it, on one time axis, as a PNG; or those of every fault."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from services.plotting import BROKEN, PLAIN, SHADE, pyplot
from twin.channels import by_name
from twin.fault_demo import DemoRun, demo_run
from twin.fault_kinds import FaultKind, fault_kind, fault_kinds


def plot_fault(name: str, out: Path | None = None) -> Path:
    """Run a fault's demonstration and draw it; the file written.

    Raises UnknownFaultError, and DependencyUnavailableError without matplotlib.
    """
    kind = fault_kind(name)
    run = demo_run(kind, [*kind.moves, *kind.demo.also])
    path = out or Path(f"fault-{kind.id}.png")
    _draw(kind, run, path)
    return path


def plot_all_faults(folder: Path) -> list[Path]:
    """Run every fault's demonstration and draw each; the files written, in the catalogue's order.

    Raises DependencyUnavailableError without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(fault_kinds())
    return [
        plot_fault(kind, folder / f"fault-{kind}.png")
        for kind in track(kinds, "faults", console=Console(stderr=True))
    ]


def _draw(kind: FaultKind, run: DemoRun, path: Path) -> None:
    plt = pyplot()
    count = len(run.plain)
    figure, axes = plt.subplots(
        count, 1, sharex=True, figsize=(9.0, 1.2 + 1.35 * count), squeeze=False
    )
    minutes = run.elapsed_s / 60.0
    begin, end = run.fault.onset_s / 60.0, min(run.fault.end_s / 60.0, float(minutes[-1]))
    for axis, channel in zip(axes[:, 0], run.plain, strict=True):
        shown = by_name()[channel]
        axis.axvspan(begin, end, color=SHADE, linewidth=0)
        axis.plot(minutes, run.plain[channel], color=PLAIN, linewidth=1.0, label="without")
        axis.plot(minutes, run.broken[channel], color=BROKEN, linewidth=1.2, label="with")
        unit = "" if shown.unit in {"", "1"} else f" [{shown.unit}]"
        axis.set_ylabel(f"{shown.label}\n{unit}".strip(), fontsize=8, rotation=0, ha="right")
        axis.tick_params(labelsize=7)
        axis.margins(x=0)
        if np.isfinite(run.plain[channel]).any():
            axis.ticklabel_format(axis="y", useOffset=False)
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 0.98)}
    axes[0, 0].legend(**above, fontsize=7, frameon=False, ncols=2)
    axes[0, 0].set_title(f"{kind.id} {kind.title} on {run.satellite}", fontsize=10, loc="left")
    axes[-1, 0].set_xlabel("Minutes since the epoch", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
