#!/usr/bin/env bash
# Schedules, reads and deletes jobs with curl, as first published, and sees one arrive at the demo app. It ends with 0 if
# it did. `carillon dev` says by the environment where the API is, and where the app is to listen.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${APP_PORT:?is not set: run me as examples/curl/README.md says}"
jobs=http://localhost:$DAPR_HTTP_PORT/v1.0-alpha1/jobs

# ask shows a command and runs it. It fails unless the answer is a 2xx.
ask() {
	set -- -H 'dapr-app-id: sub' "$@"
	printf '\n$ curl'
	for word in "$@"; do
		case $word in
		*' '*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	curl --fail-with-body --silent --show-error --max-time 10 --write-out ' %{http_code}\n' "$@"
}

work=$(mktemp -d)
go build -o "$work/demo" ./examples/demo
"$work/demo" >"$work/said" &
app=$!
trap 'kill "$app" 2>/dev/null || true; rm -rf "$work"' EXIT

ask -X POST "$jobs/later" -d '{"job": {"data": {"order": 7}, "dueTime": "1h", "overwrite": true}}'
ask -X GET "$jobs/later"
ask -X DELETE "$jobs/later"
ask -X POST "$jobs/hello" -d '{"job": {"data": "good morning", "dueTime": "1s", "overwrite": true}}'

printf '\nand the app says:\n'
for _ in {1..300}; do
	if grep 'received job hello:' "$work/said"; then
		exit 0
	fi
	kill -0 "$app" # or the app has ended, and has said why
	sleep 0.1
done
echo "the job did not come within 30 seconds" >&2
exit 1
