#!/usr/bin/env bash
# Prints how well the agent takes turns, as one table: tests/duplex.sh [--quick] [OPTION...]
#
# Starts the server on loopback with scripted replies at zero think time and lets `antiphon-peer duplex`
# call it; options are passed on to that, as `--only echo`. Without any, the whole table takes about eight
# minutes on two cores, has 30 minutes of the agent alone with its echo (twelve calls at a time), and is
# followed by 10,000 simulated calls of 60 s, another two minutes; --quick takes about 90 s. The figures are
# printed, never asserted. The JSON with every event is left in target/duplex/report.json. With
# ANTIPHON_RECORD=1 every call is recorded into target/duplex/recorded, for `antiphon replay`.
set -uo pipefail
cd "$(dirname "$0")/.."

readonly antiphon=target/release/antiphon
readonly peer=target/release/antiphon-peer
readonly out=target/duplex
readonly http_port="${ANTIPHON_TEST_PORT:-18180}"
readonly base="http://127.0.0.1:$http_port"
readonly silence_ms=200

server_pid= reply_ms=
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2>/dev/null
    wait "$server_pid" 2>/dev/null
    server_pid=
}
trap stop_server EXIT

# Without punctuation flite speaks without pauses, so that silence in a reply means something. It begins
# with silence, which would be measured as latency. Sets reply_ms.
make_replies() {
    local part text=
    for part in \
        "the old harbour lies on the north side of the town and every morning long before the sun comes up" \
        "the small boats leave it one after the other to look for herring and for mackerel while on the hill" \
        "above them the lamps in the windows are lit and people begin to bake bread and to boil water for their" \
        "tea and nobody says very much because everybody has known everybody else for so many years that there" \
        "is little left to be told and when the boats come home in the afternoon the children run down to the" \
        "water to see what their fathers have brought and the gulls come too and make a great noise over the" \
        "roofs until the last basket has been carried into the long low house where the fish is weighed and" \
        "sold to the merchants who have been waiting there since noon with their carts and their patient horses" \
        "and after that the town goes quiet again and the evening light lies on the harbour wall for an hour" \
        "or two before the lamps are lit once more and the whole day begins to turn slowly into the next one"; do
        text+="$part "
    done
    flite -voice awb -t "$text" -o "$out/long.wav" &&
        flite -voice awb -t "Very well then" -o "$out/short.wav" &&
        python3 tests/measure.py trim "$out/short.wav" >/dev/null &&
        reply_ms="$(python3 tests/measure.py trim "$out/long.wav")"
}

write_config() {
    cat >"$out/long.yaml" <<YAML
sample_rate_hz: 16000
repeat: true
greeting: [{wav: long.wav}]
turns: [{reply: [{wav: long.wav}]}]
YAML
    cat >"$out/short.yaml" <<YAML
sample_rate_hz: 16000
repeat: true
turns: [{reply: [{wav: short.wav}]}]
YAML
    cat >"$out/antiphon.yaml" <<YAML
http: {listen: 127.0.0.1:$http_port}
media: {udp: 127.0.0.1:$((http_port + 1)), tcp: off}
default_agent: talker
agents:
  talker:
    backend: scripted
    scripted: {script: long.yaml}
    turn: {silence_ms: $silence_ms}
  thinker:
    backend: scripted
    scripted: {script: short.yaml}
    # Learns how long its caller's pauses are.
    turn: {endpoint: {strategy: adaptive}}
YAML
    rm -rf "$out/recorded"
    [ -z "${ANTIPHON_RECORD-}" ] ||
        echo 'recordings: {directory: recorded, consent: full}' >>"$out/antiphon.yaml"
}

start_server() {
    "$antiphon" serve --config "$out/antiphon.yaml" >"$out/server.log" 2>&1 &
    server_pid=$!
    local attempt
    for attempt in $(seq 100); do
        "$antiphon" health "$base/readyz" >/dev/null 2>&1 && return
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server did not start after $attempt attempts:"
    cat "$out/server.log"
    exit 1
}

mkdir -p "$out"
make_replies || { echo "flite is missing; deploy/setup test installs it"; exit 1; }
write_config
start_server
"$peer" duplex "$base" --agent talker --pause-agent thinker --silence-ms "$silence_ms" --reply-ms "$reply_ms" \
    --json "$out/report.json" "$@"
status=$?
if [ $# -eq 0 ]; then
    stop_server
    ANTIPHON_CALLS=10000 cargo test --release --locked --test sim no_random_call 2>&1 | grep -E '^swarm|run it again'
fi
exit "$status"
