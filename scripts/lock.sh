#!/usr/bin/env bash
# Writes requirements/*.lock: exact versions with hashes from the bounds in pyproject.toml.
# Needs `uv` on PATH; run it after changing a bound, read the diff, commit both.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
    uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
        --python-version 3.11 --no-annotate --no-header pyproject.toml "$@"
}
compile --extra build --extra nats --extra grafana -o requirements/runtime.lock
compile --extra build --extra nats --extra grafana --extra dev -o requirements/dev.lock
