#!/usr/bin/env bash
# Starts the server as its users do and calls it with every client there is. What the clients heard is
# measured; recordings, reports and screenshots are kept in target/calls. Takes about three minutes.
set -uo pipefail
cd "$(dirname "$0")/.."

readonly antiphon=target/release/antiphon
readonly peer=target/release/antiphon-peer
readonly out=target/calls
readonly http_port="${ANTIPHON_TEST_PORT:-18080}"
readonly base="http://127.0.0.1:$http_port"
readonly udp="127.0.0.1:$((http_port + 1))"
readonly sim="127.0.0.1:$((http_port + 2))"
readonly stages_port=$((http_port + 3))
readonly number='{type: object, properties: {order: {type: string}}, required: [order]}'

passed=0 failed=0 server_pid= sim_pid= stages_pid=

# check NAME COMMAND...: runs it, keeps its output, says whether it passed.
check() {
    local name="$1" log
    shift
    log="$out/$(tr -c 'a-z0-9\n' '-' <<<"${name,,}").log"
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$name"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$name"
        sed 's/^/      | /' "$log" | tail -n 40
    fi
}

# figures NAME: the lines of a passed check that are worth reading.
figures() { sed 's/^/      /' "$out/$(tr -c 'a-z0-9\n' '-' <<<"${1,,}").log" | tail -n "${2:-30}"; }

start_server() {
    "$antiphon" serve --listen "127.0.0.1:$http_port" --udp "$udp" "$@" >"$out/server.log" 2>&1 &
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

stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2>/dev/null
    wait "$server_pid" 2>/dev/null
    server_pid=
}

# The simulated Nova Sonic, with these options; its keys are in the environment of what is started after it.
start_sim() {
    rm -f "$out/nova-sim.pem"
    target/release/antiphon-nova-sim --listen "$sim" --ca-out "$out/nova-sim.pem" "$@" >"$out/sim.log" 2>&1 &
    sim_pid=$!
    logged "listens on" cat "$out/sim.log" >/dev/null || { cat "$out/sim.log"; exit 1; }
    export AWS_ACCESS_KEY_ID=AKIDSIM AWS_SECRET_ACCESS_KEY=sim-secret
    export AWS_EC2_METADATA_DISABLED= AWS_BEARER_TOKEN_BEDROCK=must-not-be-used
}

stop_sim() {
    [ -n "$sim_pid" ] || return 0
    kill "$sim_pid" 2>/dev/null
    wait "$sim_pid" 2>/dev/null
    sim_pid=
    unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_EC2_METADATA_DISABLED AWS_BEARER_TOKEN_BEDROCK
}

# A configuration of an agent that talks to it: nova_config FILE [LINE...], the lines under `nova_sonic`.
nova_config() {
    local file="$out/$1"
    shift
    cat >"$file" <<YAML
recordings: {directory: recorded-nova, consent: full}
agents:
  nova:
    backend: nova_sonic
    greeting: Welcome to the shop.
    nova_sonic:
      region: us-east-1
      endpoint_url: https://$sim
      ca_file: nova-sim.pem
$(printf '      %s\n' "$@")
    tools:
      - {name: order_status, description: The status of an order., parameters: $number, builtin: wait_300}
      - {name: cancel_order, description: Cancels an order., parameters: $number, builtin: echo, confirm: "Really cancel order {order}?"}
YAML
}

# Servers for the stages of a cascade, and the ready agent `csm` that asks them and pays for it: cascade_config FILE
# DAY, where the voice has such a day (see tests/stages.py).
start_stages() {
    python3 tests/stages.py "$stages_port" >"$out/stages.log" 2>&1 &
    stages_pid=$!
    logged "listens on" cat "$out/stages.log" >/dev/null || { cat "$out/stages.log"; exit 1; }
}

stop_stages() {
    [ -n "$stages_pid" ] || return 0
    kill "$stages_pid" 2>/dev/null
    wait "$stages_pid" 2>/dev/null
    stages_pid=
}

cascade_config() {
    local stages="http://127.0.0.1:$stages_port"
    echo "recordings: {directory: recorded-cascade, consent: full}" >"$out/$1"
    sed -e "s|http://127.0.0.1:8000/v1', |$stages/v1', prices: {minute: 0.006}, |" \
        -e "s|http://127.0.0.1:11434/v1', |$stages/v1', prices: {text_in: 0.001, text_out: 0.005}, |" \
        -e "s|http://127.0.0.1:3000/v1|$stages$2/v1|" -e "s|requests_max: 1|&\n        prices: {chars: 0.03}|" \
        deploy/examples/csm.yaml >>"$out/$1"
}

# Every stage of the agent has cost something.
cascade_is_priced() {
    curl -sf "$base/metrics" | grep -E '^antiphon_(cost|heard|spoken|tokens)' | tee "$out/cascade-metrics.txt"
    awk '/^antiphon_cost_total/ && $2 > 0 { paid++ } END { exit paid != 3 }' "$out/cascade-metrics.txt"
}

# An agent of Nova Sonic's, and the agent `csm` to take over from it.
relief_config() {
    cascade_config "$1" ""
    cat >>"$out/$1" <<YAML
  nova:
    backend: nova_sonic
    greeting: Welcome to the shop.
    fallback: [csm]
    nova_sonic: {region: us-east-1, endpoint_url: "https://$sim", ca_file: nova-sim.pem, patience: {attempts_max: 1}}
YAML
}

# Kills a process once an agent has answered a turn.
dies_after_a_turn() {
    logged "^antiphon_turns_total{agent=\"$1\"} 1" curl -sf "$base/metrics" || return 1
    kill "$2"
}

# The same agent with a provider of each stage that fails as the other one does not: a recogniser that never
# answers, a model and a voice that hang up in the middle.
failover_config() {
    local stages="http://127.0.0.1:$stages_port"
    cascade_config "$1" ""
    cat >"$out/$1.stages" <<YAML
      asr:
        - {kind: transcription, url: $stages/slow/v1, language: en, budget_ms: 900}
        - {kind: transcription, url: $stages/v1, language: en}
      llm:
        - {url: $stages/broken/v1, model: small}
        - {url: $stages/v1, model: small}
      tts:
        - {kind: speech, url: $stages/broken/v1}
        - {kind: speech, url: $stages/v1}
YAML
    # A call keeps the voice that it has heard: the greeting would be where it dies.
    sed -i -e '/^    cascade:/,$d' -e '/^    greeting:/d' "$out/$1"
    { echo "    cascade:"; cat "$out/$1.stages"; } >>"$out/$1"
}

# What the agent says in the report holds this.
agent_says() { report "$out/$1" "any('$2' in l['text'].lower() for l in report['agent']['transcript'] if l['who'] == 'agent')"; }

# The metrics have two calls, an interruption, tokens and a cost for the agent.
nova_is_counted() {
    curl -sf "$base/metrics" | grep '"nova"' | tee "$out/metrics.txt"
    awk '{ sum[substr($1, 1, index($1, "{") - 1)] += $2 }
         END { exit !(sum["antiphon_calls_ended_total"] == 2 && sum["antiphon_turns_total"] >= 4 &&
             sum["antiphon_interruptions_total"] == 1 && sum["antiphon_tokens_total"] > 0 && sum["antiphon_cost_total"] > 0) }' \
        "$out/metrics.txt"
}

stop_all() { stop_server; stop_sim; stop_stages; }
trap stop_all EXIT

# The server ended well and never panicked, whatever was done to it.
server_is_well() {
    kill -0 "$server_pid" && ! grep -q -i panick "$out/server.log"
}

report() { python3 tests/measure.py report "$@"; }
refused() {
    local expected="$1" status=0 text
    shift
    text="$("$@" 2>&1)" || status=$?
    printf '%s\n' "$text"
    [ "$status" -ne 0 ] && grep -q -- "$expected" <<<"$text"
}

# The longest recording in FOLDER, replayed: it decides what it decided.
longest() { ls -S "$out/$1"/*.flight | head -n 1; }
replayed() { "$antiphon" replay "$(longest "$1")" "${@:2}" | tee /dev/stderr | grep -q "same decisions"; }

# Every recording in FOLDER replays to the same decisions.
all_replayed() {
    local file
    for file in "$out/$1"/*.flight; do
        "$antiphon" replay "$file" --quiet || return 1
    done
}

# The longest recording of a cascade shows this in what its model was told.
model_was_told() { "$antiphon" replay "$(longest recorded-cascade)" --prompts | tee /dev/stderr | grep -q -- "| $1"; }

# A recording of features holds nothing of what was said.
wordless() { refused "features only" "$antiphon" replay "$(longest recorded-features)" --wav "$out/none"; }

# A call by a join token, in the background; sets session_id and caller_pid.
begin_session_call() {
    local answer
    answer="$(curl -sf -X POST -H "authorization: Bearer $key" "$base/v1/session")" || return 1
    session_id="$(sed 's/.*"session_id":"\([^"]*\)".*/\1/' <<<"$answer")"
    # Not by `call`: a function in the background is a shell of its own, and the caller is to be killed.
    "$peer" call "$base" --token "$(sed 's/.*"join_token":"\([^"]*\)".*/\1/' <<<"$answer")" \
        --listen 60000 --no-reply-expected &
    caller_pid=$!
    logged '"active"' session_state
}

session_state() { curl -sf -H "authorization: Bearer $key" "$base/v1/session/$session_id"; }

# logged TEXT COMMAND...: within 15 s the command prints TEXT.
logged() {
    local text="$1" attempt
    shift
    for attempt in $(seq 150); do
        "$@" | grep -q -- "$text" && return
        sleep 0.1
    done
    echo "'$text' did not appear in $attempt attempts; the last output was:"
    "$@" | tail -n 5
    return 1
}

session_ends() {
    begin_session_call || return 1
    curl -sf -X DELETE -H "authorization: Bearer $key" "$base/v1/session/$session_id" || return 1
    logged 'reason=Client' tail -n 1 "$out/server.log"
    wait "$caller_pid"
    true
}

vanished() {
    begin_session_call || return 1
    kill -9 "$caller_pid"
    logged 'reason=PeerLost' tail -n 1 "$out/server.log" && logged '"ended"' session_state
}

drained() {
    begin_session_call || return 1
    kill "$server_pid"
    logged 'reason=Drained' tail -n 3 "$out/server.log"
    wait "$caller_pid"
    true
}

make_speech() {
    flite -voice slt -t "Hello there, how are you today?" -o "$out/hello.wav"
    flite -voice slt -t "Please tell me another one." -o "$out/another.wav"
    flite -voice slt -t "Wait a moment, stop." -o "$out/wait.wav"
    flite -voice slt -t "What is two plus three?" -o "$out/sum.wav"
    espeak-ng -v en-us -s 140 -w "$out/time.wav" "What time is it?"
}

call() { "$peer" call "$base" "$@"; }

mkdir -p "$out"
rm -f "$out"/*.log "$out"/*.json "$out"/*.wav "$out"/*.png "$out"/*.svg
rm -rf "$out"/recorded-*/
printf 'recordings: {directory: recorded-scripted, consent: full}\n' >"$out/recorded-scripted.yaml"
printf 'recordings: {directory: recorded-features}\n' >"$out/recorded-features.yaml"
printf 'recordings: {directory: recorded-local, consent: full}\n' >"$out/recorded-local.yaml"
make_speech || { echo "flite or espeak-ng is missing; deploy/setup runtime test installs them"; exit 1; }

echo "-- refusals at start"
check "an open address without a key is refused" \
    refused ANTIPHON_ACCESS_KEY= env -u ANTIPHON_ACCESS_KEY "$antiphon" serve --listen 0.0.0.0:0
printf 'http: {listen: here}\ncalls_max: 0\n' >"$out/bad.yaml"
check "a bad file is refused with its lines" \
    refused "line 2" "$antiphon" serve --config "$out/bad.yaml"
check "a missing model is named, and how to get it" \
    refused "./run --setup" env ANTIPHON_RUNTIME_DIR=/nowhere "$antiphon" serve --check
check "the example configuration is good" "$antiphon" serve --config deploy/antiphon.example.yaml --check

echo "-- scripted backend: deploy/examples/tone.yaml"
start_server --config "$out/recorded-scripted.yaml" --backend scripted --script deploy/examples/tone.yaml --silence-ms 200
check "two turns are answered" \
    call --say "$out/hello.wav" --say "$out/another.wav" --record "$out/tone.wav" --json "$out/tone.json"
figures "two turns are answered"
check "the caller hears 440 Hz" python3 tests/measure.py tone "$out/tone.wav" 440
check "and 660 Hz" python3 tests/measure.py tone "$out/tone.wav" 660
check "the tones have no holes" \
    report "$out/tone.json" 'all(t["reply"]["holes"] == 0 for t in report["turns"])'
check "an interruption stops the reply" \
    call --say "$out/hello.wav" --say "$out/wait.wav" --interrupt-after 800 --json "$out/interrupt.json"
figures "an interruption stops the reply"
check "the interrupted reply was cut" \
    report "$out/interrupt.json" 'report["turns"][0]["reply"]["sound_ms"] < 2500'
check "PCMU" call --codec pcmu --say "$out/hello.wav" --json "$out/pcmu.json"
check "PCMA" call --codec pcma --say "$out/hello.wav" --json "$out/pcma.json"
check "5 % loss and 30 ms jitter" call --say "$out/hello.wav" --say "$out/another.wav" \
    --loss 5 --jitter 30 --seed 1 --json "$out/loss.json"
figures "5 % loss and 30 ms jitter"
check "aiortc" tests/interop/aiortc.sh "$base" "$out/hello.wav"
figures "aiortc" 8
check "libwebrtc" tests/interop/wrtc.sh "$base" "$out/hello.wav"
figures "libwebrtc" 8
check "hostile requests and datagrams hurt nobody" python3 tests/hostile.py "$base" "$udp"
check "the server is well" server_is_well
stop_server
check "each of these calls replays to the same decisions" all_replayed recorded-scripted

echo "-- echo backend, recorded without consent"
start_server --config "$out/recorded-features.yaml" --backend echo --silence-ms 300
check "echo says back what it heard" \
    call --say "$out/hello.wav" --record "$out/echo.wav" --json "$out/echo.json"
check "as speech" python3 tests/measure.py speech "$out/echo.wav" 1
check "the server is well" server_is_well
stop_server
check "its features replay to the same floor" replayed recorded-features --quiet
check "and hold no audio" wordless

echo "-- local backend, the default"
start_server --config "$out/recorded-local.yaml" --silence-ms 500
check "a conversation with the guide" call --say "$out/sum.wav" --say "$out/time.wav" \
    --record "$out/local.wav" --json "$out/local.json"
figures "a conversation with the guide"
check "the agent's speech is in the recording" python3 tests/measure.py speech "$out/local.wav" 3
check "the sum was understood and answered" report "$out/local.json" \
    'any(l["who"] == "agent" and ("five" in l["text"].lower() or "5" in l["text"]) for l in report["agent"]["transcript"])'
check "a second recogniser hears the answer in the recording" \
    python3 tests/measure.py heard "$out/local.wav" five
check "headless Chromium" tests/browser/run "$base" "$out/sum.wav" "$out" three
figures "headless Chromium" 20
check "the server is well" server_is_well
stop_server
check "each of these calls, the browser's among them, replays too" all_replayed recorded-local
check "and is drawn" replayed recorded-local --quiet --svg "$out/call.svg"
check "and decides the same when the voice model listens again" \
    replayed recorded-local --quiet --listen-again
figures "and decides the same when the voice model listens again" 2

echo "-- a cascade: transcription, chat and a voice like Sesame CSM's, each behind HTTP"
start_stages
cascade_config cascade.yaml ""
start_server --config "$out/cascade.yaml" --silence-ms 400
check "a conversation through three servers" call --wait-greeting 3000 --say "$out/sum.wav" --say "$out/hello.wav" \
    --record "$out/cascade.wav" --json "$out/cascade.json"
figures "a conversation through three servers"
check "what was said was understood and repeated" agent_says cascade.json "two plus three"
check "without its markup" report "$out/cascade.json" \
    'not any("*" in l["text"] or "_" in l["text"] for l in report["agent"]["transcript"])'
check "a second recogniser hears it in the recording" python3 tests/measure.py heard "$out/cascade.wav" question
check "from phrase to phrase there is no more than the voice's own pause" \
    report "$out/cascade.json" 'all(t["reply"]["longest_hole_ms"] <= 350 for t in report["turns"])'
check "an interruption stops it" call --wait-greeting 3000 --say "$out/sum.wav" --say "$out/wait.wav" \
    --interrupt-after 800 --record "$out/cascade-interrupt.wav" --json "$out/cascade-interrupt.json"
figures "an interruption stops it"
check "within a moment, as the caller hears it" \
    report "$out/cascade-interrupt.json" '0 < report["turns"][0]["barge_in"]["stop_ms"] < 300'
check "and the voice is hung up on" grep -q "^was hung up on: /v1/audio/speech" "$out/stages.log"
check "what each stage did is counted and priced" cascade_is_priced
check "the server is well" server_is_well
stop_server
start_server --config "$out/cascade.yaml"
check "as it is shipped it answers ahead, while it waits for more" call --wait-greeting 3000 --say "$out/sum.wav" \
    --json "$out/cascade-ahead.json"
figures "as it is shipped it answers ahead, while it waits for more" 12
check "what was said was understood and repeated" agent_says cascade-ahead.json "two plus three"
check "as soon as the turn is over" report "$out/cascade-ahead.json" \
    'all(t["breakdown"]["first_text_ms"] - t["breakdown"]["endpoint_ms"] < 100 for t in report["turns"])'
check "the server is well" server_is_well
stop_server
check "each of these calls replays to the same decisions" all_replayed recorded-cascade
check "and shows what the model was told" model_was_told "user: .*two plus three"
failover_config cascade-failover.yaml
start_server --config "$out/cascade-failover.yaml" --silence-ms 400
check "a conversation although a provider of each stage fails" call --say "$out/sum.wav" \
    --record "$out/cascade-failover.wav" --json "$out/cascade-failover.json"
figures "a conversation although a provider of each stage fails"
check "no word of the answer is lost" agent_says cascade-failover.json "two plus three."
check "to its end" agent_says cascade-failover.json "is there anything else, e.g. a question?"
check "nor of its sound" python3 tests/measure.py heard "$out/cascade-failover.wav" question
check "and the gap where a voice died is short" \
    report "$out/cascade-failover.json" 'all(t["reply"]["longest_hole_ms"] <= 700 for t in report["turns"])'
check "the model died in its answer" grep -q "^hangs up: /broken/v1/chat/completions" "$out/stages.log"
check "and the voice" grep -q "^hangs up: /broken/v1/audio/speech" "$out/stages.log"
check "the server is well" server_is_well
stop_server
cascade_config cascade-mp3.yaml /mp3
start_server --config "$out/cascade-mp3.yaml" --silence-ms 400
check "a voice that cannot be played is told to the client" \
    call --wait-greeting 3000 --say "$out/hello.wav" --no-reply-expected --json "$out/cascade-mp3.json"
check "with what to do" report "$out/cascade-mp3.json" '"cannot be played" in str(report["agent"])'
check "the server is well" server_is_well
stop_server
stop_stages

echo "-- Nova Sonic, simulated, over the AWS SDK"
printf 'What is the status of order 17?\nPlease cancel order 17.\nYes, please do.\n' >"$out/hears.txt"
start_sim --hears "$out/hears.txt"
sed "s|region: us-east-1|&, endpoint_url: 'https://$sim', ca_file: nova-sim.pem|" deploy/examples/aws-cascade.yaml \
    >"$out/aws-cascade.yaml"
start_server --config "$out/aws-cascade.yaml" --silence-ms 400
check "a conversation with Transcribe, ConverseStream and Polly" call --wait-greeting 3000 --say "$out/sum.wav" \
    --say "$out/hello.wav" --record "$out/aws-cascade.wav" --json "$out/aws-cascade.json"
figures "a conversation with Transcribe, ConverseStream and Polly"
check "what was heard is answered" agent_says aws-cascade.json "you said: what time is it"
check "and what was heard then" agent_says aws-cascade.json "you said: thank you very much"
check "what the caller hears is speech" python3 tests/measure.py speech "$out/aws-cascade.wav" 3
check "the server is well" server_is_well
stop_server
nova_config nova.yaml "warm: {connections: 1, sessions: 1}"
check "keys, region and model are checked" "$antiphon" serve --config "$out/nova.yaml" --check
check "wrong keys are named" refused "ignature" \
    env AWS_SECRET_ACCESS_KEY=wrong "$antiphon" serve --config "$out/nova.yaml" --check
check "missing keys are named, and where they were looked for" refused "AWS_ACCESS_KEY_ID" \
    env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY HOME="$out" timeout 4 "$antiphon" serve --config "$out/nova.yaml" --check
start_server --config "$out/nova.yaml"
check "a conversation with tools" call --wait-greeting 3000 --say "$out/hello.wav" --say "$out/another.wav" \
    --say "$out/sum.wav" --record "$out/nova.wav" --json "$out/nova.json"
figures "a conversation with tools" 24
check "the greeting was said" agent_says nova.json "welcome to the shop"
check "a tool was called and its result said" agent_says nova.json "result"
check "what must be confirmed was asked first" agent_says nova.json "really cancel order"
check "what the caller hears is speech" python3 tests/measure.py speech "$out/nova.wav" 4
check "an interruption stops Nova" call --wait-greeting 3000 --say "$out/hello.wav" --say "$out/another.wav" \
    --interrupt-after 700 --json "$out/nova-interrupt.json"
figures "an interruption stops Nova" 20
check "what it used and cost is in the metrics" nova_is_counted
check "typed text is answered" call --wait-greeting 3000 --text "What is the status of order 17?" --json "$out/nova-text.json"
check "and by a tool" agent_says nova-text.json "result"
check "the server is well" server_is_well
stop_server
check "each of these calls replays to the same decisions" all_replayed recorded-nova
stop_sim

start_sim --hears "$out/hears.txt" --connection-limit 12s --fault "every=9s list=all-transient" --barge-in rotate
nova_config nova-faults.yaml "renewal: {after_ms: 6000, jitter_ms: 1000, at_latest_ms: 10000}" "sessions_max: 4" "renewal_spare: 2"
start_server --config "$out/nova-faults.yaml"
check "a conversation outlives its connections" call --wait-greeting 3000 --say "$out/hello.wav" \
    --say "$out/another.wav" --say "$out/sum.wav" --say "$out/hello.wav" --say "$out/another.wav" --json "$out/nova-faults.json"
figures "a conversation outlives its connections" 24
check "calls beyond the account's limit are refused before they fail" \
    refused "sessions_max" "$peer" bench "$base" --calls 4 --say "$out/hello.wav"
check "the server is well" server_is_well
grep -o "connections=.*" "$out/server.log" | head -n 4
stop_server
stop_sim

start_sim --hears "$out/hears.txt"
start_stages
relief_config relief.yaml
start_server --config "$out/relief.yaml" --silence-ms 400
dies_after_a_turn nova "$sim_pid" &
check "a call goes on in a cascade when Nova Sonic is gone" call --agent nova --wait-greeting 3000 --say "$out/hello.wav" \
    --say "$out/sum.wav" --say "$out/sum.wav" --record "$out/relief.wav" --json "$out/relief.json"
wait "$!"
figures "a call goes on in a cascade when Nova Sonic is gone" 24
check "Nova Sonic spoke first" agent_says relief.json "welcome to the shop"
check "the cascade spoke last" agent_says relief.json "two plus three"
check "and was told what had been said" grep -q -i "welcome to the shop" "$out/stages.log"
check "the caller heard it" python3 tests/measure.py heard "$out/relief.wav" question
check "the server is well" server_is_well
stop_server
stop_stages
stop_sim

echo "-- access key and join token"
readonly key=test-key-0123456789
export ANTIPHON_ACCESS_KEY="$key"
start_server --backend scripted --script deploy/examples/tone.yaml --silence-ms 200
unset ANTIPHON_ACCESS_KEY
check "no token is refused" refused "401" call --say "$out/hello.wav"
check "the key is accepted" call --token test-key-0123456789 --say "$out/hello.wav"
token="$(python3 - "$base" <<'PYTHON'
import json, sys, urllib.request
request = urllib.request.Request(sys.argv[1] + "/v1/session", data=b"{}", headers={
    "authorization": "Bearer test-key-0123456789", "content-type": "application/json"})
print(json.load(urllib.request.urlopen(request))["join_token"])
PYTHON
)"
check "a join token admits" call --token "$token" --say "$out/hello.wav"
check "but only once" refused "401" call --token "$token" --say "$out/hello.wav"
check "deleting a session ends its call" session_ends
check "a caller that vanishes is noticed" vanished
check "a stopping server ends its calls" drained
stop_server

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
