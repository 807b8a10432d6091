#!/usr/bin/env bash
# Asks a real coordinator everything that its description allows, and much that it does not, as its administrator; with an
# agent and two cameras that record, so that there is something to answer about.
# Fails on an answer of 500 or more that the description does not have, on one that breaks its schema, and when an operation
# about cameras or playbacks has not succeeded even once.
# Usage: check.sh PROGRAMS SCHEMATHESIS   (the directory of the built programs, the program st)
set -euo pipefail

here=$(realpath "$(dirname "$0")")
programs=$(realpath "$1")
st=$(realpath -s "$2")
seconds=${API_CHECK_SECONDS:-45}
# The same requests at every run, so that a change is what makes a difference.
seed=${API_CHECK_SEED:-20260301}

directory=$(mktemp -d)
running=()
end() {
    for process in "${running[@]}"; do
        kill "$process" 2>/dev/null && wait "$process" || true
    done
    rm -rf "$directory"
}
trap end EXIT

# Waits until a file has a line, for at most 60 s and as long as the program that writes it runs.
wait_for() { # FILE PATTERN PROCESS LOG
    for _ in $(seq 600); do
        grep -q "$2" "$1" && return
        kill -0 "$3" 2>/dev/null || break
        sleep 0.1
    done
    echo "waited in vain for \`$2\`; the log ends with:" >&2
    tail -20 "$4" >&2
    exit 1
}

cat > "$directory/coordinator.toml" <<TOML
data_dir = "$directory/data"
[http]
listen = "127.0.0.1:0"
[agents]
listen = "127.0.0.1:0"
[live]
listen = "127.0.0.1:0"
[storage]
reserve_bytes = 0
[limits]
user = { per_second = 100000, burst = 100000 }
address = { per_second = 100000, burst = 100000 }
media = { per_second = 100000, burst = 100000 }
TOML
"$programs/cctv-coordinator" run --config "$directory/coordinator.toml" > "$directory/greeting" 2> "$directory/log" &
running+=($!)
wait_for "$directory/greeting" "with the password" $! "$directory/log"
base=$(sed -n 's/^pages and API: //p' "$directory/greeting")
agents=$(sed -n 's/^.*agents: UDP \([^ ]*\).*/\1/p' "$directory/greeting")
password=$(sed -n 's/.* with the password \([^ ]*\).*/\1/p' "$directory/greeting")

"$programs/camera-sim" --listen 127.0.0.1:0 --cameras 2 --loop 4 --width 320 --height 192 --fps 10 --bitrate 150000 \
    --gop 10 --sub > "$directory/cameras" 2> "$directory/cameras.log" &
running+=($!)
wait_for "$directory/cameras" "^rtsp://.*cam2/sub" $! "$directory/cameras.log"

code=$("$programs/cctv-coordinator" agent invite --config "$directory/coordinator.toml" --site Depot --name check \
    --address "$agents" --quiet)
cat > "$directory/agent.toml" <<TOML
[agent]
name = "check"
data_dir = "$directory/agent"
[buffer]
reserve_bytes = 0
[recording]
segment_seconds = 10
[status]
enabled = false
TOML
for camera in 1 2; do
    addresses=$(grep "/cam$camera" "$directory/cameras")
    cat >> "$directory/agent.toml" <<TOML
[[camera]]
name = "cam$camera"
url = "$(head -1 <<< "$addresses")"
sub_url = "$(tail -1 <<< "$addresses")"
TOML
done
"$programs/cctv-agent" enroll --config "$directory/agent.toml" - <<< "$code" > /dev/null
"$programs/cctv-agent" run --config "$directory/agent.toml" > "$directory/agent.log" 2>&1 &
running+=($!)

ask() { # METHOD PATH [BODY]; the answer is in $directory/answer
    curl -sS --fail -o "$directory/answer" -c "$directory/cookies" -b "$directory/cookies" -X "$1" "$base$2" \
        -H 'X-Requested-With: cctv' -H 'Content-Type: application/json' ${3:+-d "$3"}
}
answer() { # FIELDS OF THE ANSWER, such as id or items 0 id
    python3 -c '
import functools, json, sys
step = lambda value, key: value[int(key)] if isinstance(value, list) else value[key]
print(functools.reduce(step, sys.argv[2:], json.load(open(sys.argv[1]))))' "$directory/answer" "$@"
}
ask POST /api/v1/session "{\"login\":\"admin\",\"password\":\"$password\"}"
session=$(awk '$6 == "cctv_session" { print $7 }' "$directory/cookies")
ask POST /api/v1/agents/invites '{"site_name":"Depot"}'
ask POST /api/v1/iam/users '{"login":"subject","display_name":"Subject","agency":"METRO","roles":["operator"]}'
user=$(answer id)
ask POST /api/v1/iam/groups '{"name":{"en":"Night shift","ar":"المناوبة"},"agency":"METRO"}'
group=$(answer id)

# Until there is a stretch that can be played.
camera= playback=
for _ in $(seq 600); do
    to=$(date -u +%FT%TZ)
    if ask GET "/api/v1/cameras" && camera=$(answer items 0 id 2>/dev/null) \
        && ask POST /api/v1/playback/prepare \
            "{\"camera_id\":\"$camera\",\"from\":\"${from:=$to}\",\"to\":\"$(date -u -d '+1 second' +%FT%TZ)\"}" 2>/dev/null \
        && playback=$(answer id) && ask GET "/api/v1/playback/$playback/playlist.m3u8" 2>/dev/null \
        && [ "$(grep -c '^segments/' "$directory/answer")" -ge 4 ]; then
        break
    fi
    playback=
    sleep 0.2
done
[ -n "$playback" ] || { echo "nothing was recorded:" >&2; tail -20 "$directory/agent.log" "$directory/log" >&2; exit 1; }
segment=$(sed -n 's/^segments\///p' "$directory/answer" | head -1)
query=${segment#*\?}
ask GET /api/v1/agents
cat > "$directory/known.json" <<JSON
{ "cameras": ["$camera"], "agents": ["$(answer items 0 id)"], "playback": ["$playback"], "from": "$from", "to": "$to",
  "users": ["$user"], "groups": ["$group"], "roles": ["operator"], "agencies": ["METRO"], "files": ["${segment%%\?*}"],
  "expires": "$(sed 's/.*expires=\([^&]*\).*/\1/' <<< "$query")", "signature": "$(sed 's/.*signature=\([^&]*\).*/\1/' <<< "$query")" }
JSON
ask GET /api/v1/openapi.json
python3 "$here/known.py" "$base" "$directory/known.json" < "$directory/answer" > "$directory/openapi.json"

# It keeps notes where it is run. One worker, because parsing in threads trips over itself in Python 3.11.
cd "$directory"
# What may end the session that asks, or throw the agent out, is left out, because ids found in answers are used again; the
# table of refusals has it.
SCHEMATHESIS_HOOKS="$here/hooks.py" "$st" --config-file /dev/null run "$directory/openapi.json" --url "$base" \
    --checks not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance \
    --exclude-operation-id-regex '^(revoke_agent|sign_out|end_own_session|end_sessions?|set_own_password|set_user_password|set_user_status|replace_user)$' \
    --header "Cookie: cctv_session=$session" --header 'X-Requested-With: cctv' \
    --phases examples,coverage,fuzzing --max-time "$seconds" --seed "$seed" --workers 1 \
    --generation-database none --request-timeout 20 --warnings off --no-color --report har --report-har-path "$directory/har.json" \
    || { echo "the log of the coordinator ends with:" >&2; tail -20 "$directory/log" >&2; exit 1; }

# Or it was nobody who asked, or nothing that was asked about.
curl -sS --fail -o /dev/null -b "$directory/cookies" "$base/api/v1/session"
python3 "$here/succeeded.py" "$directory/har.json" "$directory/openapi.json"
