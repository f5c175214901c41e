#!/usr/bin/env bash
# Refresh the browser libraries of the console, byte for byte as their authors published them.
# Exact versions: tools/console/package.json and its lock. Checksums: vendor/SHA256SUMS, checked
# by `scripts/vendor_console.sh --check` (no network, no node) and by the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
vendor=services/console/static/vendor

if [[ "${1:-}" == "--check" ]]; then
    (cd "$vendor" && sha256sum --check --strict --quiet SHA256SUMS)
    echo "console vendor files match their checksums"
    exit 0
fi

npm ci --prefix tools/console --ignore-scripts --no-audit --no-fund --silent
modules=tools/console/node_modules
rm -rf "$vendor"
mkdir -p "$vendor/licenses"
for library in d3-array d3-contour d3-geo topojson-client; do
    cp "$modules/$library/dist/$library.min.js" "$vendor/"
done
cp "$modules/uplot/dist/uPlot.iife.min.js" "$modules/uplot/dist/uPlot.min.css" "$vendor/"
cp "$modules/world-atlas/land-110m.json" "$vendor/"
for library in d3-array d3-contour d3-geo topojson-client uplot world-atlas; do
    cp "$modules/$library/LICENSE" "$vendor/licenses/$library.txt"
done
chmod -R u=rwX,go=rX "$vendor"
(cd "$vendor" && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS)
echo "vendored: $(cd "$vendor" && find . -type f | wc -l) files"
