#!/usr/bin/env bash
# Holds the committed dashboards against Grafana's own types and functions, at the versions that
# tests/dashboards/node/package-lock.json pins. Needs node 20 and npm; the first time it downloads
# 270 MB into tests/dashboards/node/node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON="${PYTHON:-.venv/bin/python}"
node=tests/dashboards/node
if [ ! -d "$node/node_modules" ] || [ "$node/package-lock.json" -nt "$node/node_modules" ]; then
    npm --prefix "$node" ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund
fi
"$PYTHON" -m dashboards | node "$node/data.mjs"
node "$node/schema.mjs"
