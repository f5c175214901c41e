#!/usr/bin/env bash
# make_venv.sh PYTHON DIRECTORY: a virtual environment with pip, or one line that says what is missing.
set -euo pipefail
python=$1 venv=$2
command -v "$python" >/dev/null || python=python3
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11" >&2
    exit 78
fi
if ! "$python" -m ensurepip --version >/dev/null 2>&1; then
    # Debian keeps venv's pip in a package of its own.
    "$(dirname "$0")/install_debian.sh" python3.11-venv
fi
echo "Making $venv with $("$python" --version) ..."
rm -rf "$venv"
"$python" -m venv "$venv"
