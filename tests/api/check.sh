#!/usr/bin/env bash
# Asks a real coordinator everything that its description allows, and much that it does not, as its administrator.
# Fails on an answer of 500 or more that the description does not have, and on one that breaks its schema.
# Usage: check.sh PROGRAMS SCHEMATHESIS   (the directory of the built programs, the program st)
set -euo pipefail

programs=$(realpath "$1")
st=$(realpath -s "$2")
seconds=${API_CHECK_SECONDS:-45}
# The same requests at every run, so that a change is what makes a difference.
seed=${API_CHECK_SEED:-20260301}

directory=$(mktemp -d)
coordinator=
end() {
    [ -z "$coordinator" ] || { kill "$coordinator" 2>/dev/null && wait "$coordinator" || true; }
    rm -rf "$directory"
}
trap end EXIT

cat > "$directory/coordinator.toml" <<TOML
data_dir = "$directory/data"
[http]
listen = "127.0.0.1:0"
[agents]
listen = "127.0.0.1:0"
[limits]
user = { per_second = 100000, burst = 100000 }
address = { per_second = 100000, burst = 100000 }
media = { per_second = 100000, burst = 100000 }
TOML
"$programs/cctv-coordinator" run --config "$directory/coordinator.toml" > "$directory/greeting" 2> "$directory/log" &
coordinator=$!
for _ in $(seq 200); do
    grep -q "with the password" "$directory/greeting" && break
    kill -0 "$coordinator" 2>/dev/null || { cat "$directory/log" >&2; exit 1; }
    sleep 0.1
done
base=$(sed -n 's/^pages and API: //p' "$directory/greeting")
password=$(sed -n 's/.* with the password \([^ ]*\).*/\1/p' "$directory/greeting")

ask() { # METHOD PATH BODY
    curl -sS --fail -o "$directory/answer" -c "$directory/cookies" -b "$directory/cookies" -X "$1" "$base$2" \
        -H 'X-Requested-With: cctv' -H 'Content-Type: application/json' -d "$3"
}
ask POST /api/v1/session "{\"login\":\"admin\",\"password\":\"$password\"}"
ask POST /api/v1/agents/invites '{"site_name":"Depot"}'
session=$(awk '$6 == "cctv_session" { print $7 }' "$directory/cookies")

# It keeps notes where it is run. One worker, because parsing in threads trips over itself in Python 3.11.
cd "$directory"
# What may end the session that asks is left out, because ids found in answers are used again; the table of refusals has it.
"$st" --config-file /dev/null run "$base/api/v1/openapi.json" \
    --checks not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance \
    --exclude-operation-id-regex '^(sign_out|end_own_session|end_sessions?|set_own_password|set_user_password|set_user_status|replace_user)$' \
    --header "Cookie: cctv_session=$session" --header 'X-Requested-With: cctv' \
    --phases examples,coverage,fuzzing --max-time "$seconds" --seed "$seed" --workers 1 \
    --generation-database none --request-timeout 20 --warnings off --no-color \
    || { echo "the log of the coordinator ends with:" >&2; tail -20 "$directory/log" >&2; exit 1; }

# Or it was nobody who asked.
curl -sS --fail -o /dev/null -b "$directory/cookies" "$base/api/v1/session"
