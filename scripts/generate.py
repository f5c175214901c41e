"""Renders everything that is generated: `python scripts/generate.py`, `--check` for freshness."""

import sys
from pathlib import Path

from dashboards import build
from dashboards.channel_docs import channels_page

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"docs/channels.md": channels_page}


def main() -> int:
    """0 when everything is fresh or was written, 1 when `--check` finds a stale file."""
    check = "--check" in sys.argv[1:]
    stale = build.main(["--check"] if check else [])
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            print(f"{name}: stale; run make generate", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
