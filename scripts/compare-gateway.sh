#!/usr/bin/env bash
# Compares what two servers answer over HTTP: every path of the JSON gateway, the pages, and the names of the metrics.
#
#   compare-gateway.sh OUR_ETCD REAL_ETCD
#
# Each server is started in turn, as a fresh member on the same free loopback ports, so that IDs agree, and gets the
# same requests in the same order. Compared are the status, the content type and the body, JSON as parsed, after
# hiding what no two runs share (times, sizes, versions). Errors of etcd 3.5 are read in the form that they have since
# 3.6: {"code", "message"}. One line is printed for each request: same, differs or explained, with the reason.
#
# Exit code 0 if all is same or explained, 1 if something differs, 2 if it could not be run. KEEP=1 keeps the answers,
# VERBOSE=1 shows what is different about the explained ones, too.
set -uo pipefail
export LC_ALL=C

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[[ $# -eq 2 ]] || usage
for program in "$@" curl jq; do
  command -v "$program" >/dev/null || { echo "compare-gateway: no program $program" >&2; exit 2; }
done

# --- differences that have to be -------------------------------------------------------------------------------------
# pattern of the case's name, then the reason
explained=(
  'unbuilt: *' 'not built yet, and says so'
  '*: method *' 'since 3.6 the gateway says 501 in JSON to another method, 3.5 says 405 in plain text'
  '*no such path*' 'since 3.6 the gateway says 404 in JSON, 3.5 in plain text'
  '* malformed*' 'the text is the JSON reader'"'"'s own'
  '* url-safe base64' 'taken since 3.6'
  '* unpadded base64' 'taken since 3.6'
  'maintenance/status' 'each server reports its own version and sizes; 3.6 added storage version, quota and downgrade'
  'maintenance/hash*' '3.5 has HashKV at the path of Hash, and nothing at its own'
  'maintenance/snapshot *' 'each server sends a file of its own'
  'page /version' 'each server names its own version'
  'page /livez*' 'since 3.6'
  'page /readyz*' 'since 3.6'
  'page /debug/vars' 'Go'"'"'s memory and the state of etcd'"'"'s Raft library are not there'
  '*: overridden method' 'since 3.6 the gateway says 501 in JSON to another method, 3.5 says 405 in plain text'
  'lease/keepalive: an empty body' 'since 3.6 an answer without content has no content type'
  'watch {"progress_request":{}}' 'since 3.6 a stream without a watcher hears no progress'
)
# ---------------------------------------------------------------------------------------------------------------------

work=$(mktemp -d)
server_pid=
stop_server() {
  [[ -n $server_pid ]] || return 0
  kill "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  server_pid=
}
cleanup() {
  stop_server
  if [[ -n ${KEEP:-} ]]; then echo "answers are in $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
trap 'exit 2' INT TERM

ports=()
free_port() { # sets $port; none is taken twice
  while :; do
    port=$((20000 + RANDOM % 12000))
    [[ " ${ports[*]-} " == *" $port "* ]] && continue
    # Nobody answers: the port is free, as far as loopback goes.
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { ports+=("$port"); return; }
  done
}
free_port; client=http://127.0.0.1:$port
free_port; peer=http://127.0.0.1:$port
free_port; metrics=http://127.0.0.1:$port

start_server() { # program, data directory
  "$1" --name default --data-dir "$2" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
    --listen-metrics-urls "$metrics" --cors 'http://friend.example:80' >"$2.log" 2>&1 &
  server_pid=$!
  local try
  for try in $(seq 100); do
    kill -0 "$server_pid" 2>/dev/null || break
    # The cluster's version is set a moment after the member is well; it takes entries of the log.
    if curl -sf "$client/health" >/dev/null; then sleep 1; return; fi
    sleep 0.1
  done
  echo "compare-gateway: $1 does not serve; its log:" >&2
  tail -n 5 "$2.log" >&2
  exit 2
}

# --- one case --------------------------------------------------------------------------------------------------------
tidy_json='
  def code($e): {code: ($e.code // $e.grpc_code), message: $e.message};
  if type == "object" and (.error | type) == "string" then code(.)
  elif type == "object" and (.error | type) == "object" then {error: code(.error)}
  else . end
  | del(.. | select(type == "object" and has("grantedTTL")) | .TTL)
  | del(.. | .raft_term?, .dbSize?, .dbSizeInUse?, .raftIndex?, .raftAppliedIndex?)'

ask() { # name, then curl's arguments
  local name=$1 file
  shift
  number=$((number + 1))
  file=$(printf '%s/%03d' "$out" "$number")
  printf '%s' "$name" >"$file.name"
  : >"$file.body"
  curl -sS -o "$file.body" -D "$file.head" "$@" 2>"$file.err" || grep -q 'timed out' "$file.err" || cat "$file.err" >&2
  {
    sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/status \1/p' "$file.head"
    tr -d '\r' <"$file.head" | grep -i -E '^(content-type|access-control-[a-z-]*|allow|grpc-metadata-[a-z-]*|www-authenticate):' |
      sed 's/^[^:]*/\L&/' | sort
    grep -q '^HTTP/' "$file.body" 2>/dev/null && : >"$file.body"
    jq -cS "$tidy_json" "$file.body" 2>/dev/null || cat "$file.body"
  } >"$file.said"
}
# call: a path of the gateway and a body.  stream: the same, for an answer that goes on; a second shows what is to come.
call() { local path=$1 body=$2; shift 2; ask "$path $body" -d "$body" "$@" "$client/v3/$path"; }
named() { local name=$1 path=$2 body=$3; shift 3; ask "$name" -d "$body" "$@" "$client/v3/$path"; }
stream() { local path=$1 body=$2; shift 2; ask "$path $body" -N --max-time 1 -d "$body" "$@" "$client/v3/$path"; }
page() { local path=$1; shift; ask "page $path" "$@" "$client$path"; }

b64() { printf '%s' "$1" | base64 -w 0; }
a=$(b64 a) b=$(b64 b) c=$(b64 c) one=$(b64 one) two=$(b64 two)

# --- all cases -------------------------------------------------------------------------------------------------------
play() {
  number=0
  # KV
  call kv/put "{\"key\":\"$a\",\"value\":\"$one\"}"
  call kv/put "{\"key\":\"$a\",\"value\":\"$two\",\"prev_kv\":true}"
  call kv/put "{\"key\":\"$b\",\"value\":\"$one\",\"prevKv\":true}"
  call kv/put "{\"key\":\"$b\",\"ignoreValue\":true,\"lease\":\"7\"}"
  call kv/put "{\"key\":\"$b\",\"value\":\"$one\",\"ignore_value\":true}"
  call kv/put '{}'
  call kv/put "{\"key\":\"$c\"}"
  call kv/range "{\"key\":\"$a\"}"
  call kv/range "{\"key\":\"$a\",\"range_end\":\"$c\",\"sort_order\":\"DESCEND\",\"sort_target\":\"KEY\",\"limit\":1}"
  call kv/range "{\"key\":\"$a\",\"rangeEnd\":\"AA==\",\"sortOrder\":2,\"limit\":\"2\",\"keysOnly\":true}"
  call kv/range "{\"key\":\"$a\",\"range_end\":\"AA==\",\"count_only\":true}"
  call kv/range "{\"key\":\"$a\",\"serializable\":true,\"unknown\":[1,{\"x\":null}]}"
  call kv/range "{\"key\":\"$a\",\"revision\":null}"
  call kv/range "{\"key\":\"$a\",\"revision\":\"2\"}"
  call kv/range "{\"key\":\"$a\",\"revision\":9999}"
  call kv/range "{\"key\":\"$(b64 missing)\"}"
  call kv/range '{}'
  named 'kv/range: an empty body' kv/range ''
  named 'kv/range: trailing data' kv/range "{\"key\":\"$a\"} and more"
  named 'kv/range: url-safe base64' kv/range '{"key":"-_-_"}'
  named 'kv/range: unpadded base64' kv/range '{"key":"YQ"}'
  named 'kv/range: malformed, no JSON' kv/range 'nothing'
  named 'kv/range: malformed, cut off' kv/range '{"key":'
  named 'kv/range: malformed, a number for bytes' kv/range '{"key":7}'
  named 'kv/range: malformed, a word for a number' kv/range '{"limit":"x"}'
  named 'kv/range: method GET' kv/range '{}' -X GET
  named 'kv/range: method PUT' kv/range '{}' -X PUT
  named 'kv/range: method DELETE' kv/range '{}' -X DELETE
  named 'kv/range: overridden method' kv/range '{}' -H 'X-HTTP-Method-Override: GET'
  named 'kv/range: a trailing slash: no such path' kv/range/ '{}'
  named 'no such path below /v3' nothing '{}'
  ask 'v3beta: kv/range' -d "{\"key\":\"$a\"}" "$client/v3beta/kv/range"
  ask 'kv/range: an escaped path' -d "{\"key\":\"$a\"}" "$client/v3/kv/r%61nge"
  ask 'v3alpha: kv/range' -d "{\"key\":\"$a\"}" "$client/v3alpha/kv/range"
  call kv/txn "{\"compare\":[{\"key\":\"$a\",\"target\":\"CREATE\",\"create_revision\":\"2\",\"result\":\"EQUAL\"}],\"success\":[{\"request_put\":{\"key\":\"$a\",\"value\":\"$one\"}},{\"requestRange\":{\"key\":\"$b\"}},{\"requestDeleteRange\":{\"key\":\"$c\",\"prev_kv\":true}}],\"failure\":[{\"request_range\":{\"key\":\"$a\"}}]}"
  call kv/txn "{\"compare\":[{\"key\":\"$a\",\"target\":3,\"value\":\"$two\",\"result\":3}],\"success\":[{\"request_txn\":{\"compare\":[{\"key\":\"$a\",\"target\":\"VERSION\",\"version\":0,\"result\":\"GREATER\"}],\"success\":[{\"request_range\":{\"key\":\"$a\"}}]}}]}"
  call kv/txn '{}'
  call kv/txn "{\"success\":[{\"request_put\":{\"key\":\"$a\"}},{\"request_put\":{\"key\":\"$a\"}}]}"
  call kv/txn '{"compare":[{"key":""}]}'
  call kv/txn '{"success":[{}]}'
  call kv/deleterange "{\"key\":\"$b\",\"prev_kv\":true}"
  call kv/deleterange "{\"key\":\"$b\"}"
  call kv/deleterange '{}'
  call kv/compaction '{"revision":"4"}'
  call kv/compaction '{"revision":"4"}'
  call kv/compaction '{"revision":"9999","physical":true}'
  call kv/range "{\"key\":\"$a\",\"revision\":\"2\"}"
  # Leases
  call lease/grant '{"TTL":"600","ID":"7"}'
  call lease/grant '{"TTL":600,"ID":8}'
  call lease/grant '{"TTL":600,"ID":8}'
  call lease/grant '{"TTL":"9000000001","ID":"9"}'
  call kv/put "{\"key\":\"$(b64 leased)\",\"value\":\"$one\",\"lease\":\"7\"}"
  call lease/timetolive '{"ID":"7","keys":true}'
  call kv/lease/timetolive '{"ID":8}'
  call lease/timetolive '{"ID":"12345"}'
  call lease/leases '{}'
  call kv/lease/leases '{}'
  call lease/keepalive '{"ID":"7"}'
  named 'lease/keepalive: two requests' lease/keepalive '{"ID":"7"}
{"ID":"12345"}'
  named 'lease/keepalive: an empty body' lease/keepalive ''
  named 'lease/keepalive: malformed' lease/keepalive '{"ID":"7"}{"ID":"x"}{"ID":"8"}'
  call lease/revoke '{"ID":"7"}'
  call kv/lease/revoke '{"ID":"8"}'
  call lease/revoke '{"ID":"12345"}'
  # Watch
  stream watch "{\"create_request\":{\"key\":\"$a\",\"start_revision\":\"5\"}}"
  stream watch "{\"createRequest\":{\"key\":\"$a\",\"rangeEnd\":\"AA==\",\"startRevision\":5,\"prevKv\":true,\"filters\":[\"NODELETE\"]}}"
  stream watch "{\"create_request\":{\"key\":\"$a\",\"start_revision\":\"1\"}}"
  stream watch "{\"create_request\":{\"key\":\"$(b64 '<&>')\",\"watch_id\":\"5\"}} {\"cancel_request\":{\"watch_id\":5}}"
  stream watch '{"progress_request":{}}'
  stream watch "{\"create_request\":{\"key\":\"$a\"}}{\"create_request\":{\"key\":\"$b\"}}"
  # Cluster and maintenance
  call cluster/member/list '{}'
  call cluster/member/list '{"linearizable":true}'
  call cluster/member/remove '{"ID":"1234"}'
  call cluster/member/update '{"ID":"1234","peerURLs":["http://127.0.0.1:1"]}'
  call cluster/member/promote '{"ID":"1234"}'
  call cluster/member/add '{"peerURLs":[]}'
  named maintenance/status maintenance/status '{}'
  call maintenance/alarm '{}'
  call maintenance/alarm '{"action":"GET","memberID":"0","alarm":"NONE"}'
  call maintenance/alarm '{"action":"ACTIVATE","memberID":"1","alarm":"NOSPACE"}'
  page /health
  page '/health?exclude=NOSPACE'
  page '/health?serializable=true'
  call kv/put "{\"key\":\"$a\",\"value\":\"$one\"}"
  call maintenance/alarm '{"action":2,"memberID":1,"alarm":1}'
  call maintenance/defragment '{}'
  call maintenance/hash '{}'
  call maintenance/hashkv '{}'
  stream maintenance/snapshot '{}'
  call maintenance/hashkv '{"revision":"9999"}'
  call maintenance/transfer-leadership '{"targetID":"1234"}'
  call maintenance/downgrade '{"action":"VALIDATE","version":"9"}'
  # Metadata
  named 'kv/range: hasleader' kv/range "{\"key\":\"$a\"}" -H 'Grpc-Metadata-hasleader: true'
  named 'kv/range: a timeout' kv/range "{\"key\":\"$a\"}" -H 'Grpc-Timeout: 10S'
  named 'kv/range: a bad timeout' kv/range "{\"key\":\"$a\"}" -H 'Grpc-Timeout: 10'
  named 'kv/range: any content type' kv/range "{\"key\":\"$a\"}" -H 'Content-Type: text/plain'
  named 'kv/range: an origin that may ask' kv/range "{\"key\":\"$a\"}" -H 'Origin: http://friend.example:80'
  named 'kv/range: an origin that may not' kv/range "{\"key\":\"$a\"}" -H 'Origin: http://foe.example'
  named 'kv/range: OPTIONS' kv/range '' -X OPTIONS -H 'Origin: http://friend.example:80'
  printf '{"key":"%s","value":"%s"}' "$a" "$(head -c 2200000 /dev/zero | base64 -w 0)" >"$out/large"
  named 'kv/put: larger than may be sent' kv/put "@$out/large"
  printf '{"key":"%s","value":"%s"}' "$a" "$(head -c 1600000 /dev/zero | base64 -w 0)" >"$out/large"
  named 'kv/put: larger than may be stored' kv/put "@$out/large"
  # Pages
  page /version
  ask 'page /version: POST' -X POST "$client/version"
  page /health
  ask 'page /health: POST' -X POST "$client/health"
  ask 'page /health: HEAD' --head "$client/health"
  page /livez
  page '/livez?verbose'
  page /readyz
  page '/readyz?verbose'
  page '/readyz/serializable_read?verbose'
  page /debug/vars
  ask 'page no such path' "$client/nothing"
  ask 'metrics port: /health' "$metrics/health"
  ask 'metrics port: /version' "$metrics/version"
  ask 'metrics port: the gateway' -d '{}' "$metrics/v3/kv/range"
  # Locks and elections
  call lease/grant '{"TTL":"600","ID":"70"}'
  call lock/lock "{\"name\":\"$(b64 lock)\",\"lease\":\"70\"}"
  call lock/unlock "{\"key\":\"$(b64 lock/46)\"}"
  call election/campaign "{\"name\":\"$(b64 vote)\",\"lease\":\"70\",\"value\":\"$one\"}"
  call election/leader "{\"name\":\"$(b64 vote)\"}"
  call election/leader "{\"name\":\"$(b64 nobody)\"}"
  call election/proclaim '{}'
  call election/resign '{}'
  stream election/observe "{\"name\":\"$(b64 vote)\"}"
  # Authentication, before it is on
  call auth/status '{}'
  call auth/authenticate '{"name":"x","password":"y"}'
  call auth/enable '{}'
  call auth/user/add '{"name":"root","password":"pw"}'
  call auth/user/add '{"name":"","password":"pw"}'
  call auth/user/list '{}'
  call auth/user/changepw '{"name":"root","password":"pw2"}'
  call auth/role/add '{"name":"root"}'
  call auth/role/add '{"name":"r"}'
  call auth/role/grant "{\"name\":\"r\",\"perm\":{\"permType\":\"READWRITE\",\"key\":\"$a\",\"range_end\":\"$b\"}}"
  call auth/role/get '{"role":"r"}'
  call auth/role/list '{}'
  call auth/role/revoke "{\"role\":\"r\",\"key\":\"$a\",\"range_end\":\"$b\"}"
  call auth/user/grant '{"user":"root","role":"root"}'
  call auth/user/get '{"name":"root"}'
  call auth/user/revoke '{"name":"root","role":"r"}'
  call auth/role/delete '{"role":"r"}'
  call auth/enable '{}'
  named 'auth on: no token' kv/range "{\"key\":\"$a\"}"
  named 'auth on: a bad token' kv/range "{\"key\":\"$a\"}" -H 'Authorization: nonsense'
  local token
  token=$(curl -s -d '{"name":"root","password":"pw2"}' "$client/v3/auth/authenticate" | jq -r '.token // "none"')
  named 'auth on: with a token' kv/range "{\"key\":\"$a\"}" -H "Authorization: $token"
  named 'auth on: with a token as metadata' kv/range "{\"key\":\"$a\"}" -H "Grpc-Metadata-Token: $token"
  named 'auth on: disable with a token' auth/disable '{}' -H "Authorization: $token"
  call auth/user/delete '{"name":"root"}'
}

families() { sed -n 's/^# TYPE \([a-z_A-Z0-9]*\) \(.*\)/\1 \2/p' | sort; }

for side in ours real; do
  out=$work/$side
  mkdir "$out"
  [[ $side == ours ]] && program=$1 || program=$2
  start_server "$program" "$work/$side.data"
  play
  curl -sS "$client/metrics" | families >"$work/$side.families"
  curl -sS "$metrics/metrics" | families >"$work/$side.families.port"
  stop_server
done

if grep -q 'unimplemented: Auth/' "$work"/ours/*.said; then explained+=('auth on: *' 'authentication is not built yet'); fi

# --- the verdict -----------------------------------------------------------------------------------------------------
same=0 known=0 different=0
for file in "$work"/ours/*.said; do
  at=$(basename "$file" .said)
  name=$(<"$work/ours/$at.name")
  real=$work/real/$at.said
  if cmp -s "$file" "$real"; then
    same=$((same + 1))
    echo "same       $name"
    continue
  fi
  reason=
  if grep -q 'unimplemented: ' "$file"; then reason='not built yet, and says so'; fi
  for ((i = 0; i < ${#explained[@]}; i += 2)); do
    # shellcheck disable=SC2053 # a pattern on purpose
    if [[ -z $reason && $name == ${explained[i]} ]]; then reason=${explained[i + 1]}; fi
  done
  if [[ -n $reason ]]; then
    known=$((known + 1))
    echo "explained  $name: $reason"
    [[ -n ${VERBOSE:-} ]] || continue
  else
    different=$((different + 1))
    echo "differs    $name"
  fi
  diff <(cut -c 1-600 "$real") <(cut -c 1-600 "$file") | sed 's/^/             /'
done
echo "metrics: families that the real server has and ours has not, with their types:"
comm -13 "$work/ours.families" "$work/real.families" | sed 's/^/  /'
echo "$same same, $known explained, $different different"
[[ $different -eq 0 ]]
