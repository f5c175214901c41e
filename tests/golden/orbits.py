"""The orbits that references are made for: mean elements by name, SGP4 records from them.

Plain numbers, so that a reference file holds what is needed to fly its orbit again.
"""

import json
import math
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from satellites import from_elements, starcloud, starlink
from sgp4.api import Satrec

HERE = Path(__file__).parent
GM_KM3_S2 = 398_600.4418  # WGS84


def unix_s(year: int, month: int, day: int, hour: float = 0.0) -> float:
    return datetime(year, month, day, tzinfo=UTC).timestamp() + hour * 3600.0


def turns_per_day(sma_km: float) -> float:
    return 86_400.0 / (2.0 * math.pi * math.sqrt(sma_km**3 / GM_KM3_S2))


def low(
    epoch: float, altitude_km: float, inclination_deg: float, node_deg: float
) -> dict[str, Any]:
    return {
        "epoch_unix_s": epoch,
        "turns_per_day": turns_per_day(6378.137 + altitude_km),
        "inclination_deg": inclination_deg,
        "node_deg": node_deg,
        "anomaly_deg": 40.0,
        "eccentricity": 1e-4,
    }


def wide(
    epoch: float, turns: float, inclination_deg: float, node_deg: float, eccentricity: float
) -> dict[str, Any]:
    return {
        "epoch_unix_s": epoch,
        "turns_per_day": turns,
        "inclination_deg": inclination_deg,
        "node_deg": node_deg,
        "anomaly_deg": 180.0,
        "eccentricity": eccentricity,
    }


def dusk_node_deg(epoch: float) -> float:
    """Node of a dusk orbit (local time 18 h), from the mean Sun."""
    return (280.46 + 0.9856474 * (epoch - 946_728_000.0) / 86_400.0 + 90.0) % 360.0


JUNE = unix_s(2026, 6, 21)
MAY = unix_s(2026, 5, 14)  # a week into the dusk orbit's season of eclipses
GEO_TURNS = 1.0027379

ORBITS: dict[str, dict[str, Any]] = {
    "iss 2026-11": low(unix_s(2026, 11, 21), 420.0, 51.64, 75.0),
    "iss 2001-03": low(unix_s(2001, 3, 3, 5.0), 390.0, 51.64, 300.0),
    "53 deg 550 km 2026-08": low(unix_s(2026, 8, 2), 550.0, 53.0, 200.0),
    "53 deg 550 km 2049-12": low(unix_s(2049, 12, 20), 550.0, 53.0, 20.0),
    "equator 350 km 2035-03": low(unix_s(2035, 3, 20), 350.0, 0.5, 0.0),
    "polar 1200 km 2030-01": low(unix_s(2030, 1, 4), 1200.0, 89.9, 130.0),
    "dusk 650 km mid season": low(JUNE, 650.0, 97.99, dusk_node_deg(JUNE)),
    "dusk 650 km season edge": low(MAY, 650.0, 97.99, dusk_node_deg(MAY)),
    "starlink tle": {"tle": "starlink", "epoch_unix_s": unix_s(2026, 4, 30, 18.0)},
    "starcloud tle": {"tle": "starcloud", "epoch_unix_s": unix_s(2026, 7, 26, 4.0)},
    "molniya 2026-10": wide(unix_s(2026, 10, 5), 2.0058, 63.4, 40.0, 0.72),
    "transfer 2033-04": wide(unix_s(2033, 4, 1), 2.27, 7.0, 110.0, 0.728),
    "geo 2026-09": wide(unix_s(2026, 9, 22), GEO_TURNS, 0.05, 80.0, 2e-4),
    "geo 2026-03 edge": wide(unix_s(2026, 3, 1), GEO_TURNS, 0.05, 80.0, 2e-4),
    "geo inclined 2044-10": wide(unix_s(2044, 10, 9), GEO_TURNS, 6.0, 300.0, 3e-4),
}


def is_high(elements: dict[str, Any]) -> bool:
    return float(elements.get("turns_per_day", 15.0)) < 3.0


def satrec(elements: dict[str, Any]) -> Satrec:
    if "tle" in elements:
        return {"starlink": starlink, "starcloud": starcloud}[elements["tle"]]()
    rest = {
        name: value
        for name, value in elements.items()
        if name not in ("epoch_unix_s", "turns_per_day", "inclination_deg")
    }
    return from_elements(
        elements["epoch_unix_s"], elements["turns_per_day"], elements["inclination_deg"], **rest
    )


def write_reference(name: str, tools: list[str], script: str, content: dict[str, Any]) -> None:
    """A reference file: who made it, how and when, then what it says."""
    header = {
        "tool": ", ".join(f"{tool} {version(tool)}" for tool in tools),
        "command": f"PYTHONPATH=tests python tests/golden/{script}",
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = HERE / f"{name}.json"
    path.write_text(json.dumps({"header": header} | content, indent=1) + "\n", "utf-8")
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def reference(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    assert {"tool", "command", "date"} <= content["header"].keys()
    return content
