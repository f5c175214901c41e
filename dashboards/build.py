"""Writes the generated dashboards: `python -m dashboards.build`, or `--check` for freshness."""

import argparse
import json
import sys
from pathlib import Path

from dashboards.compute import compute
from dashboards.drills import drills
from dashboards.economics import economics
from dashboards.fleet_wall import fleet_wall
from dashboards.grafana_json import dashboard_json
from dashboards.network import network
from dashboards.panels import DashboardSpec
from dashboards.pipeline import pipeline
from dashboards.power import power
from dashboards.radiation import radiation
from dashboards.satellite import satellite
from dashboards.thermal import thermal
from dashboards.weeks import weeks

GRAFANA_DIRECTORY = Path(__file__).parent / "grafana"


def dashboards() -> tuple[DashboardSpec, ...]:
    """Every dashboard there is, the home page first."""
    return (
        fleet_wall(),
        satellite(),
        power(),
        thermal(),
        radiation(),
        compute(),
        network(),
        pipeline(),
        economics(),
        drills(),
        weeks(),
    )


def rendered() -> dict[str, str]:
    """File name to content of every generated file."""
    return {
        spec.file_name: json.dumps(dashboard_json(spec), indent=1, ensure_ascii=False) + "\n"
        for spec in dashboards()
    }


def stale_files(directory: Path) -> list[str]:
    """Names of generated files that are missing, differ, or have no specification any more."""
    wanted = rendered()
    present = {path.name: path.read_text("utf-8") for path in directory.glob("*.json")}
    return sorted(
        name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)
    )


def write(directory: Path) -> None:
    """Write every generated file and remove those without a specification."""
    directory.mkdir(parents=True, exist_ok=True)
    wanted = rendered()
    for path in directory.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, "utf-8")


def main(arguments: list[str] | None = None) -> int:
    """0 when the files are fresh (or were written), 1 when `--check` finds a stale one."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when stale")
    parser.add_argument("--directory", type=Path, default=GRAFANA_DIRECTORY)
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.directory)
        return 0
    stale = stale_files(options.directory)
    for name in stale:
        sys.stderr.write(f"{options.directory / name}: stale; run python -m dashboards.build\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
