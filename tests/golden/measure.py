"""Writes errors.json: how far our physics is from the references. Part of `make golden`."""

import json
from datetime import UTC, datetime

from measures import MEASURES, as_json
from orbits import HERE


def main() -> None:
    rows = [as_json(measure) for measure in MEASURES]
    for row in rows:
        print(
            f"{row['function']}: {row['what']}: {row['error']:g} {row['unit']} ({row['against']})"
        )
    header = {
        "tool": "our own code against the reference files of this directory",
        "command": "PYTHONPATH=tests:. python tests/golden/measure.py",
        "date": datetime.now(UTC).date().isoformat(),
    }
    text = json.dumps({"header": header, "errors": rows}, indent=1) + "\n"
    (HERE / "errors.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
