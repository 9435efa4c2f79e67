#!/usr/bin/env bash
# Compares two etcdctls against one server, or two servers through one etcdctl.
#
#   compare-etcdctl.sh OUR_ETCDCTL REAL_ETCDCTL SERVER_ETCD       the same commands by both clients
#   compare-etcdctl.sh --servers ETCDCTL OUR_ETCD REAL_ETCD       the same commands to both servers
#
# Each side gets a fresh member on the same free loopback ports, so that IDs agree, and then the same commands in the
# same order. Compared are standard output, exit code and the `Error:` line of standard error, after hiding what no two
# runs share (lease IDs, times, file sizes). A difference that has to be is listed below with its reason.
#
# Exit code 0 if all is equal or known, 1 if something differs, 2 if it could not be run. KEEP=1 keeps the outputs,
# VERBOSE=1 shows what is different about the known ones, too.
set -uo pipefail
export LC_ALL=C

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mode=clients
if [[ ${1:-} == --servers ]]; then mode=servers; shift; fi
[[ $# -eq 3 ]] || usage
for program in "$@"; do
  command -v "$program" >/dev/null || { echo "compare-etcdctl: no program $program" >&2; exit 2; }
done

# --- differences that have to be -------------------------------------------------------------------------------------
# pattern of the case's name, then the reason
known_between_clients=(
  'version' 'each tool names its own version'
  'endpoint status*' '3.6 added storage version, space in use, quota and downgrade to every format'
  'endpoint hashkv*' '3.6 added the revision that was hashed'
  'member list -w json --hex' 'since 3.7 the hexadecimal form has the same field names as the decimal one (clientURLs)'
  'member list --consistency*' 'a flag since 3.6'
  'member add --learner -w simple' 'since 3.6 it says that it is a learner'
  'get * --min-*' 'a flag since 3.6'
  'get * --max-*' 'a flag since 3.6'
  '* -w fields --hex' 'since 3.6 --hex counts for IDs in the fields format'
  'get del -w fields' 'newer Go quotes the DEL character as \x7f'
  'del --range *' 'a flag since 3.6'
  'usage: *' '3.5 prints its usage on standard output behind the error; since 3.6 it goes to standard error'
  'help: *' 'the words of help texts are our own'
  'member list -w fields' '3.5 shows the revision even if there is none'
  'watch foo --rev 3 -w fields' '3.5 shows the revision even if there is none'
  'alarm disarm -w fields' '3.5 crashes: the answer has no header'
  'lease revoke -w protobuf' '3.5 has the whole answer in its refusal'
  'txn: single quotes' '3.5 cuts single-quoted words at the wrong place'
  'watch -i: a command' '3.5 cuts single-quoted words at the wrong place'
  'txn lease*' 'released etcdctls crash on a condition on a lease; the next one reads it as we do'
  'unbuilt: *' 'not built yet, and says so'
  'endpoint status * 127.0.0.1:1' '3.5 and later agree on the failure, but not on the empty list'
)
known_between_servers=(
  'version' 'the client alone answers'
  'endpoint status*' 'each server reports its own version and sizes'
)
# ---------------------------------------------------------------------------------------------------------------------

work=$(mktemp -d)
server_pid=
cleanup() {
  stop_server
  if [[ -n ${KEEP:-} ]]; then echo "outputs are in $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
trap 'exit 2' INT TERM

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    # Nobody answers: the port is free, as far as loopback goes.
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

client_port=$(free_port)
peer_port=$(free_port)
while [[ $peer_port == "$client_port" ]]; do peer_port=$(free_port); done
endpoint=127.0.0.1:$client_port

start_server() { # program, data directory
  "$1" --name default --data-dir "$2" \
    --listen-client-urls "http://$endpoint" --advertise-client-urls "http://$endpoint" \
    --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
    --initial-cluster "default=http://127.0.0.1:$peer_port" >"$2.log" 2>&1 &
  server_pid=$!
  local try
  for try in $(seq 100); do
    kill -0 "$server_pid" 2>/dev/null || break
    # The cluster's version is set a moment after the first reads succeed; it takes entries of the log.
    if "$ctl" --endpoints "$endpoint" --command-timeout 1s get ready >/dev/null 2>&1; then sleep 1; return; fi
    sleep 0.1
  done
  echo "compare-etcdctl: $1 does not serve; its log:" >&2
  tail -n 5 "$2.log" >&2
  exit 2
}

stop_server() {
  [[ -n $server_pid ]] || return 0
  kill "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  server_pid=
}

# --- one case --------------------------------------------------------------------------------------------------------
record() { # name; the rest is run. Standard input is the caller's.
  local name=$1 file
  shift
  number=$((number + 1))
  file=$(printf '%s/%03d' "$out" "$number")
  printf '%s' "$name" >"$file.name"
  "$@" >"$file.out" 2>"$file.err"
  echo "exit code $?" >"$file.code"
  grep -a '^Error:' "$file.err" | head -n 1 >>"$file.code"
}
show() { local word text=; for word in "$@"; do text+=" ${word:-\"\"}"; done; printf '%s' "${text# }" | tr '\n\0' '  '; }
# case: the command as its own name.  feed: with standard input.  named: with a name of its own.
c() { record "$(show "$@")" "$ctl" "$@" </dev/null; }
feed() { local input=$1; shift; record "$(show "$@") <<< $input" "$ctl" "$@" < <(printf '%b' "$input"); }
named() { local name=$1; shift; record "$name" "$@" </dev/null; }
# A watch ends only by force: after a second everything that is to come has come.
w() { record "$(show "$@")" timeout 1 "$ctl" "$@" </dev/null; }

# Runs `lease grant` and remembers the ID for later cases as $lease.
grant() {
  c lease grant "$1"
  lease=$(sed -n 's/^lease \([0-9a-f]*\) .*/\1/p' "$out/$(printf '%03d' "$number").out")
  lease=${lease:-1234}
  printf '%s\n%s\n' "$lease" "$((16#$lease))" >>"$out/leases"
}
with_lease() { # name, then words with LEASE in place of the ID
  local name=$1 word words=()
  shift
  for word in "$@"; do words+=("${word//LEASE/$lease}"); done
  record "$name" "${words[@]}" </dev/null
}

# --- all cases -------------------------------------------------------------------------------------------------------
play() {
  export ETCDCTL_ENDPOINTS=$endpoint
  local big
  # writing and reading
  c put foo bar; c get foo; c put foo baz --prev-kv; c get foo -w json; c get foo -w fields; c get foo -w protobuf
  c get foo -w table; c get foo --hex; c get foo -w json --hex; c get foo -w fields --hex; c get nothing
  c get nothing -w json; c get nothing -w fields; c put foo -w json bar; c put foo -w json bar --prev-kv
  c put foo -w fields bar; c put foo -w fields bar2 --prev-kv; c put foo -w protobuf bar; c put foo -w table bar
  c put "" x; c put foo ""; feed 'from stdin\nline 2\n' put stdin; c get stdin; feed '' put empty
  c put; c put a b c; c put key -- -dash; c put -- -k -v; c get -- -k; named 'usage: a value like a flag' "$ctl" put dash -1; c put 'spa ce' 'v al'
  c get 'spa ce'; c put $'tab\tnl\nq"\\' $'\a\b\f\v\r\x01'; c get $'tab\tnl\nq"\\' -w fields
  c put 'grüße' '☺ é'; c get 'grüße' -w fields; c get 'grüße' -w json; c put $'\xff\xfe' $'\x80bin'
  c get $'\xff\xfe' -w fields; c get $'\xff\xfe' -w json; c get $'\xff\xfe'; c put html '<a href="x">&amp;</a>'
  c get html -w json; c get html -w fields
  for key in a b c d e; do c put "k/$key" "value-$key"; done
  c put k/b again; c put k/d again; c put k/d more
  c get --prefix k/; c get --prefix k/ -w json; c get --prefix k/ -w fields; c get k/a k/d; c get k/b --from-key
  c get --prefix ""; c get --from-key ""; c get "" ; c get k/ --prefix --limit 2; c get k/ --prefix --limit=2 -w json
  c get k/ --prefix --limit 0x2 -w fields; c get k/ --prefix --limit -1; c get k/ --prefix --keys-only
  c get k/ --prefix --keys-only -w json; c get k/ --prefix --count-only; c get k/ --prefix --count-only -w json
  c get k/ --prefix --count-only -w fields; c get k/ --prefix --print-value-only
  c get k/ --prefix --print-value-only --hex; c get k/ --prefix --print-value-only -w json
  for order in ASCEND DESCEND descend sideways; do c get k/ --prefix --order "$order"; done
  for target in CREATE KEY MODIFY VALUE VERSION version size; do
    c get k/ --prefix --keys-only --sort-by "$target"
    c get k/ --prefix --keys-only --sort-by "$target" --order DESCEND
    c get k/ --prefix --keys-only --sort-by "$target" --order ASCEND --limit 2
  done
  c get foo --rev 2; c get foo --rev 3 -w json; c get foo --rev 1; c get foo --rev 100000; c get foo --rev -5
  c get foo --consistency s; c get foo --consistency=l; c get foo --consistency x; c get foo --prefix=false
  c get foo --prefix=true --prefix=0 --keys-only=1; c get --prefix --from-key x; c get --keys-only --count-only x
  c get --prefix a b; c get --from-key a b; c get a b c; c get
  c get foo --min-mod-rev 3; c get k/ --prefix --min-mod-rev 40 --max-mod-rev 20; c get k/ --prefix --max-create-rev 30
  c put foo --ignore-value; c put foo v --ignore-value; c put nothing-here --ignore-value; c put foo --ignore-lease
  c put foo kept --ignore-lease; c put nothing-here v --ignore-lease; c get foo; c put foo v --lease xyz
  c put foo v --lease 0x1; c put foo v --lease 12345678; c put foo v --lease ffffffffffffffff
  big=$(head -c 1600000 /dev/zero | tr '\0' x)
  record 'put: a value beyond the limit of the server' "$ctl" put big < <(printf %s "$big")
  record 'put: a value beyond the limit of the client' "$ctl" put big < <(printf %s "$big$big")

  # deleting
  c del foo; c del foo; c del foo --prev-kv -w json; c del k/a --prev-kv; c del k/b --prev-kv -w json
  c del k/c --prev-kv -w fields; c del k/d -w fields; c put d/1 x; c put d/2 x; c put d/3 x; c put d/4 x
  c del --range nothing/1 nothing/2; c del d/1 d/3; c del --prefix d/ --prev-kv; c del --prefix nothing; c del; c del a b c; c del --prefix --from-key a
  c del --prefix a b; c del ""; c put z1 x; c put z2 y; c del --from-key z1 --prev-kv -w json; c del foo -w table
  c put r/1 x; c put r/2 x; c del r/1 r/3; c del --prefix "" --prev-kv -w fields; c get --prefix "" -w json
  c put del $'\x7f'; c get del -w fields; c put foo bar

  # transactions
  feed 'mod("foo") > "0"\n\nput foo new --prev-kv\nget foo\n\nget nothing\n\n' txn
  feed 'value("foo") = "other"\n\nput foo x\n\nget foo\nput bar "a b \\"q\\" \\x41"\ndel foo\n\n' txn
  feed 'value("foo") = "other"\n\n\nget bar\n\n' txn -w json; feed '\n\n\n' txn; feed '\n\n\n' txn -w json
  feed '\nput t1 v1\nput t2 v2\nget --prefix t\ndel t1 --prev-kv\n\n\n' txn -w fields
  feed '\nput t1 v1\nget t1 --hex\n\n\n' txn; feed '\nput t1 v1 --prev-kv\nget t1\n\n\n' txn --hex
  feed 'create("t1") != "0"\nversion("t1") < "9"\nval("t1") = "v1"\nver("t1") > "0"\nc("t1") > "1"\nm("t1") > "1"\n\nget t1\n\n\n' txn
  feed 'mod("foo") > "0"\n\nput foo i\n\n\n' txn -i; feed '\nput a b\n\n' txn; feed 'mod("foo") > "0"' txn; feed '' txn
  feed 'mod(foo) > 0\n\n\n\n' txn; feed 'mod("foo")>"0"\n\n\n\n' txn; feed 'mod("foo") ~ "0"\n\n\n\n' txn
  feed 'size("foo") > "0"\n\n\n\n' txn; feed 'mod("foo") > "x"\n\n\n\n' txn; feed 'nothing\n\n\n\n' txn
  feed '\nfrob a\n\n\n' txn; feed '\nput\n\n\n' txn; feed '\nput a\n\n\n' txn; feed '\nget a --bogus\n\n\n' txn
  feed '\nget a --order up\n\n\n' txn; feed '\nput a b --lease x\n\n\n' txn; feed '\nput a 1\nput a 2\n\n\n' txn
  feed '\nput a 1\ndel a\n\n\n' txn
  feed '\nput p "\\q"\n\n\n' txn; feed '\nget t --prefix --limit 1 --sort-by MODIFY --order DESCEND\n\n\n' txn -w json
  feed '\nput a b\n\n\n' txn -w protobuf; feed '\nput a b\n\n\n' txn -w table; feed '\n\n\n' txn extra
  feed '\ndel --prefix t --prev-kv\n\n\n' txn; feed '   \nget foo   \n  \n\n' txn
  named_feed() { local name=$1 input=$2; shift 2; record "$name" "$@" < <(printf '%b' "$input"); }
  named_feed 'txn: single quotes' "\\nget 'fo o'\\nget foo\\n\\n\\n" "$ctl" txn
  named_feed 'txn lease("foo") = "0"' 'lease("foo") = "0"\n\nget foo\n\n\n' "$ctl" txn

  # the hash, before leases come in: their IDs are in it, and no two runs share those
  c endpoint hashkv; c endpoint hashkv -w json; c endpoint hashkv -w fields; c endpoint hashkv -w table
  c endpoint hashkv --rev 5; c endpoint hashkv --rev 30 -w json; c endpoint hashkv --rev 100000; c endpoint hashkv -w protobuf

  # watching
  c put w/1 one; c put w/1 two; c put w/2 uno; c del w/1
  local rev
  rev=$("$ctl" get w/2 -w fields | sed -n 's/^"CreateRevision" : //p')
  for flags in '' '--prev-kv' '-w json' '-w json --prev-kv' '-w fields' '-w fields --prev-kv' '--hex' '-w protobuf'; do
    # shellcheck disable=SC2086
    w watch --prefix w/ --rev $((rev - 2)) $flags
  done
  w watch w/1 w/3 --rev $((rev - 2)); w watch w/2 --rev $((rev - 2)); w watch --prefix "" --rev $((rev - 1))
  w watch w/1 --rev $((rev - 2)) -w table
  w watch --prefix w/ --rev $((rev - 2)) -- sh -c 'echo $ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE'
  w watch --prefix w/ --rev $((rev - 2)) -- sh -c 'exit 3'
  w watch --prefix w/ --rev $((rev - 2)) -- /no/such/program
  w watch; w watch --; w watch foo --; w watch -- echo; w watch --prefix a b
  named 'usage: bad number for watch' "$ctl" watch --rev x a
  named 'watch: key from the environment' env ETCDCTL_WATCH_KEY=w/2 timeout 1 "$ctl" watch --rev $((rev - 2))
  named 'watch: range from the environment' env ETCDCTL_WATCH_KEY=w/1 ETCDCTL_WATCH_RANGE_END=w/3 timeout 1 "$ctl" watch --rev $((rev - 2))
  named 'watch: key from the environment and a command' env ETCDCTL_WATCH_KEY=w/2 timeout 1 "$ctl" watch --rev $((rev - 2)) -- echo hello
  named 'watch: two keys' env ETCDCTL_WATCH_KEY=w/2 timeout 1 "$ctl" watch w/1
  named 'watch: only an end in the environment' env ETCDCTL_WATCH_RANGE_END=w/2 timeout 1 "$ctl" watch w/1
  live() { # a change while the watch is on
    (sleep 0.5; "$ctl" put w/live now >/dev/null; "$ctl" del w/live >/dev/null) &
    timeout 1.5 "$ctl" watch w/live "$@"
    local code=$?
    wait $!
    return $code
  }
  named 'watch: a change while it is on' live; named 'watch: a change while it is on, json' live -w json
  chat() { # words to watch -i, each line after a pause
    local line
    { for line in "$@"; do sleep 0.3; printf '%s\n' "$line"; done; sleep 0.5; } | timeout 4 "$ctl" watch -i
  }
  named 'watch -i: two watches' chat "watch w/1 --rev $((rev - 2))" "watch --prefix w/2 --rev $((rev - 2)) --prev-kv"
  named 'watch -i: progress' chat "watch nothing" progress
  named 'watch -i: a command' chat "watch w/2 --rev $((rev - 2)) -- echo 'it is' here"
  named 'watch -i: nonsense' chat 'get a' 'watch' '' 'watch --prefix a b'
  named 'watch -i: a bad flag' chat 'watch a --bogus'; named 'watch -i: no command' chat 'watch a --'

  # leases
  grant 100
  with_lease 'put with a lease' "$ctl" put l/1 x --lease LEASE
  for format in simple json fields protobuf table; do
    with_lease "lease timetolive -w $format" "$ctl" lease timetolive LEASE -w $format
    with_lease "lease timetolive --keys -w $format" "$ctl" lease timetolive LEASE --keys -w $format
    with_lease "lease keep-alive --once -w $format" "$ctl" lease keep-alive --once LEASE -w $format
    with_lease "lease list -w $format" "$ctl" lease list -w $format
  done
  with_lease 'lease list -w fields --hex' "$ctl" lease list -w fields --hex; c get l/1 -w json; c get l/1 -w fields
  c get l/1 -w fields --hex; with_lease 'lease timetolive -w fields --hex' "$ctl" lease timetolive LEASE -w fields --hex
  c put l/1 z --ignore-lease; with_lease 'lease timetolive: still attached' "$ctl" lease timetolive --keys LEASE
  c put l/1 free; with_lease 'lease timetolive: no longer attached' "$ctl" lease timetolive --keys LEASE
  with_lease 'put with a lease, again' "$ctl" put l/1 x --lease LEASE
  with_lease 'lease keep-alive' timeout 1 "$ctl" lease keep-alive LEASE
  with_lease 'lease revoke' "$ctl" lease revoke LEASE; with_lease 'lease revoke again' "$ctl" lease revoke LEASE
  c get --prefix l/; with_lease 'lease timetolive: gone' "$ctl" lease timetolive LEASE
  with_lease 'lease timetolive: gone, json' "$ctl" lease timetolive LEASE -w json
  with_lease 'lease keep-alive --once: gone' "$ctl" lease keep-alive --once LEASE
  with_lease 'lease keep-alive: gone' timeout 5 "$ctl" lease keep-alive LEASE
  grant 200; with_lease 'lease revoke -w json' "$ctl" lease revoke -w json LEASE
  grant 200; with_lease 'lease revoke -w fields' "$ctl" lease revoke -w fields LEASE
  grant 200; with_lease 'lease revoke -w protobuf' "$ctl" lease revoke -w protobuf LEASE
  c lease grant 300 -w json; c lease grant 300 -w fields; c lease grant 300 -w protobuf; c lease grant; c lease grant x
  c lease grant 0; c lease grant -- -5; c lease grant 99999999999; c lease grant 9223372036854775808; c lease revoke; c lease revoke xyz
  c lease timetolive; c lease timetolive xyz; c lease keep-alive; c lease keep-alive xyz; c lease revoke 1; c lease list x
  grant 2; with_lease 'put with a short lease' "$ctl" put l/short x --lease LEASE
  sleep 4; c get l/short

  # the cluster
  c endpoint health; c endpoint health -w json; c endpoint health -w fields; c endpoint health -w table
  c endpoint health -w protobuf; c endpoint health --cluster; c endpoint status; c endpoint status -w json
  c endpoint status -w fields; c endpoint status -w table; c endpoint status -w protobuf; c endpoint status --cluster
  for format in simple json fields table protobuf; do c member list -w $format; done
  c member list --hex; c member list -w json --hex; c member list -w fields --hex; c member list --consistency s
  # changes of the members: a learner, so that the quorum stays
  c member add; c member add new; c member add new http://127.0.0.1:1; c member add new --peer-urls nonsense
  c member remove; c member remove xyz; c member remove 1234; c member remove 1 2; c member update; c member update xyz
  c member update 1234; c member update 1234 --peer-urls http://127.0.0.1:1; c member promote; c member promote xyz; c member promote 1234
  c member add new --peer-urls "http://127.0.0.1:$peer_port"; c member other
  local new
  for format in simple json fields table; do
    named "member add --learner -w $format" "$ctl" member add new --learner --peer-urls http://127.0.0.1:1 -w $format
    new=$("$ctl" member list | sed -n 's/^\([0-9a-f]*\), unstarted.*/\1/p')
    printf '%s\n%u\n' "${new:-1234}" "0x${new:-1234}" >>"$out/leases"
    sleep 1
    named "member add: a second learner -w $format" "$ctl" member add more --learner --peer-urls http://127.0.0.1:2 -w $format
    named "member list with a learner -w $format" "$ctl" member list -w $format
    named "member promote: it never started -w $format" "$ctl" member promote "${new:-1234}" -w $format
    named "member update -w $format" "$ctl" member update "${new:-1234}" --peer-urls http://127.0.0.1:3,http://127.0.0.1:1 -w $format
    named "member remove -w $format" "$ctl" member remove "${new:-1234}" -w $format
    named "member remove again -w $format" "$ctl" member remove "${new:-1234}" -w $format
  done
  for format in simple json fields table protobuf; do c alarm list -w $format; c alarm disarm -w $format; done
  c defrag; c defrag --cluster; c defrag -w json; c move-leader; c move-leader xyz; c move-leader 1 2; c move-leader 1234
  local me
  me=$("$ctl" endpoint status -w json | sed -n 's/.*"member_id":\([0-9]*\).*/\1/p')
  me=$(printf %x "$me")
  for format in simple json fields table protobuf; do named "move-leader to itself -w $format" "$ctl" move-leader "$me" -w $format; done
  c downgrade validate; c downgrade validate ""; c downgrade validate 1 2; c downgrade validate x; c downgrade enable x
  c downgrade validate 2.9; c downgrade enable 9.9
  c alarm list x; c alarm disarm x; named 'endpoint health: nobody there' env -u ETCDCTL_ENDPOINTS "$ctl" endpoint health --endpoints 127.0.0.1:1 --command-timeout 1s
  named 'endpoint health: nobody there, json' env -u ETCDCTL_ENDPOINTS "$ctl" endpoint health --endpoints 127.0.0.1:1 --command-timeout 1s -w json
  named 'endpoint status --endpoints 127.0.0.1:1' env -u ETCDCTL_ENDPOINTS "$ctl" endpoint status --endpoints 127.0.0.1:1 --command-timeout 1s -w json
  named 'get: nobody there' env -u ETCDCTL_ENDPOINTS "$ctl" get a --endpoints 127.0.0.1:1 --command-timeout 1s
  named 'put: nobody there' env -u ETCDCTL_ENDPOINTS "$ctl" put a b --endpoints 127.0.0.1:1 --command-timeout 1s
  named 'get: somebody there behind nobody' env -u ETCDCTL_ENDPOINTS "$ctl" get foo --endpoints "127.0.0.1:1, $endpoint"
  named 'get: http endpoint' env ETCDCTL_ENDPOINTS="http://$endpoint" "$ctl" get foo
  named 'get: localhost' env ETCDCTL_ENDPOINTS="localhost:$client_port" "$ctl" get foo

  # flags and environment
  named 'environment: write-out' env ETCDCTL_WRITE_OUT=json "$ctl" get foo
  named 'environment: hex' env ETCDCTL_HEX=true "$ctl" get foo
  named 'environment: nonsense is ignored' env ETCDCTL_HEX=maybe ETCDCTL_COMMAND_TIMEOUT=soon "$ctl" get foo
  named 'environment: against a flag' env ETCDCTL_WRITE_OUT=json "$ctl" get foo -w fields
  named 'environment: ETCDCTL_API' env ETCDCTL_API=3 "$ctl" get foo
  c get foo -w yaml; c get -w yaml; c get foo --cert=; c get foo --insecure-transport; c get foo --user root:pw
  c get foo --user root --password pw; c ge foo; c compa 1; c mem li; c endp hea -w fields; c get foo -w=json
  c get foo --write-out=json; c -w json get foo; c get -w json -w fields foo; c get foo --command-timeout 1m30s
  named 'usage: unknown flag' "$ctl" get foo --bogus; named 'usage: unknown short flag' "$ctl" get foo -x
  named 'usage: bad number' "$ctl" get foo --limit x; named 'usage: bad truth value' "$ctl" get foo --prefix=maybe
  named 'usage: bad duration' "$ctl" get foo --dial-timeout 5; named 'usage: flag without its value' "$ctl" get foo --limit
  named 'unknown command' "$ctl" frobnicate
  named 'help: nothing' "$ctl"; named 'help: --help' "$ctl" --help; named 'help: get' "$ctl" get -h
  named 'help: lease' "$ctl" lease; named 'help: lease frob' "$ctl" lease frob; c version
  c user list; c role list; c user add; c user add :pw; c user get; c user get none; c role add; c role add one; c role get one
  c role grant-permission one read; c role grant-permission one what a; c role grant-permission one read a --prefix -w json
  c role grant-permission one readwrite b c; c role get one; c role get one -w json; c role get one -w fields; c role get one -w protobuf
  c role get one -w table; c role list -w fields; c role revoke-permission one a; c role revoke-permission one a --prefix
  c user add ann:pw -w json; c user grant-role ann one; c user get ann --detail; c user get ann -w json; c user get ann -w fields
  c user list -w json; c user revoke-role ann one; c user delete ann; c role delete one; c auth status; c auth enable x; c auth enable

  # forgetting
  c compaction; c compaction x; c compaction 1 2; c compaction 0; c compaction 100000; c compaction 10; c compaction 10
  c compact 11; c compaction --physical 12 -w json; c get foo --rev 5; c get --prefix "" --rev 12 -w json
  w watch foo --rev 3; w watch foo --rev 3 -w json; w watch foo --rev 3 -w fields; c endpoint hashkv --rev 5
  unset ETCDCTL_ENDPOINTS
}

# Hides what no two runs share.
normalise() { # directory of the outputs, file, name of the case
  local id script=
  # A box is as wide as what is in it.
  [[ $3 != endpoint*table* ]] || script='s/ [0-9.]+(µs|ms|s) / T /; s/ +/ /g; s/-+/-/g;'
  while read -r id; do script+="s/\b$id\b/LEASE/g;"; done < <(cat "$1/leases" 2>/dev/null)
  sed -E "$script"'
    s/^[0-9a-f]{16}$/LEASE/
    s/^lease [0-9a-f]{16} granted/lease LEASE granted/
    s/"ID":[0-9]+,"TTL":([0-9]+),"Error"/"ID":LEASE,"TTL":\1,"Error"/
    s/^"ID" : -?[0-9]+$/"ID" : N/
    s/remaining\([0-9]+s\)/remaining(N)/
    s/"ttl":[0-9]+,/"ttl":N,/
    s/took = [0-9.]+(µs|ms|s)/took = T/
    s/took [0-9.]+(µs|ms|s)/took T/
    s/"took":"[^"]*"/"took":"T"/
    s/^"Took" : .*/"Took" : T/
    s/^("DBSize(InUse)?") : .*/\1 : N/
    s/"(dbSize|dbSizeInUse)":[0-9]+/"\1":N/g
    s/[0-9.]+ (k|M)?B\b/N B/g
    s/127\.0\.0\.1:'"$peer_port"'/PEER/g
  ' "$2"
}

matches() { # the reason a case may differ, if it may
  local -n list=known_between_$mode
  local at
  for ((at = 0; at < ${#list[@]}; at += 2)); do
    # shellcheck disable=SC2053
    if [[ $1 == ${list[at]} ]]; then reason=${list[at + 1]}; return 0; fi
  done
  return 1
}

run_side() { # side, client, server
  ctl=$2
  out=$work/$1
  number=0
  lease=
  mkdir -p "$out"
  : >"$out/leases"
  start_server "$3" "$work/data-$1"
  play
  stop_server
}

if [[ $mode == clients ]]; then
  run_side ours "$1" "$3"
  run_side real "$2" "$3"
else
  run_side ours "$1" "$2"
  run_side real "$1" "$3"
fi

equal=0 known=0 different=0
printf '%-10s %s\n' RESULT COMMAND
for name in "$work"/real/*.name; do
  case=$(basename "$name" .name)
  title=$(<"$name")
  for side in ours real; do
    { normalise "$work/$side" "$work/$side/$case.out" "$title"; echo; normalise "$work/$side" "$work/$side/$case.code" ''; } >"$work/$side/$case.seen"
  done
  if cmp -s "$work/ours/$case.seen" "$work/real/$case.seen"; then
    equal=$((equal + 1))
    printf '%-10s %s\n' equal "${title:0:140}"
    continue
  fi
  if matches "$title"; then
    known=$((known + 1))
    printf '%-10s %s\n%-10s   (%s)\n' known "${title:0:140}" '' "$reason"
    [[ -n ${VERBOSE:-} ]] || continue
  else
    different=$((different + 1))
    printf '%-10s %s\n' DIFFERENT "${title:0:140}"
  fi
  diff -a --label ours "$work/ours/$case.seen" --label real "$work/real/$case.seen" | head -n 20 | cut -c 1-300 | sed 's/^/           /'
done
echo "$((equal + known + different)) cases: $equal equal, $known known differences, $different unexpected"
[[ $different -eq 0 ]]
