"""`twin up` as tests start it: settings of its own, its summary read, its logs shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

from servers import free_port

ROOT = Path(__file__).resolve().parents[1]
TWIN = Path(sys.executable).with_name("twin")


def environment(state_dir: Path, **more: str) -> dict[str, str]:
    """This environment without settings of ours, with a console port of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TWIN_")}
    return clean | {
        "TWIN_STATE_DIR": str(state_dir),
        "TWIN_CONSOLE_LISTEN": f"127.0.0.1:{free_port()}",
        **more,
    }


def run_up(env: dict[str, str], *arguments: str) -> dict[str, object]:
    """Run to the end and read the summary; the logs are shown when it fails."""
    done = subprocess.run(
        [str(TWIN), "up", "--summary", "json", *arguments],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    logs = "".join(
        f"\n== {path.name}\n{path.read_text()[-2000:]}"
        for path in sorted(Path(env["TWIN_STATE_DIR"]).glob("*.log"))
    )
    assert done.returncode == 0, done.stderr + done.stdout + logs
    summary: dict[str, object] = json.loads(done.stdout)
    return summary
