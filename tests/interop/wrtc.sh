#!/usr/bin/env bash
# Calls a running server with libwebrtc: tests/interop/wrtc.sh BASE_URL SPEECH.wav [OPTION...]
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2p "$0" >&2; exit 2; }
base="$1" speech="$(realpath "$2")"
shift 2
cd "$(dirname "$0")"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent
exec node wrtc.mjs "$base" --say "$speech" "$@"
