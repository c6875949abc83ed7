#!/usr/bin/env bash
# Calls a running server with aiortc: tests/interop/aiortc.sh BASE_URL SPEECH.wav [OPTION...]
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2p "$0" >&2; exit 2; }
base="$1" speech="$(realpath "$2")"
shift 2
cd "$(dirname "$0")"
venv=../.venv
if [ ! "$venv/installed" -nt requirements.txt ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
    touch "$venv/installed"
fi
exec "$venv/bin/python" aiortc_call.py "$base" --say "$speech" "$@"
