#!/usr/bin/env bash
# Grows a cluster from one member to three and five, replaces each of them, and shrinks it to one again, while clients
# write and read; then looks whether everything that was acknowledged is there.
#
#   scripts/grow.sh [FOLDER]      data and logs go to FOLDER (a temporary one, removed if all is well)
#
# Needs etcd and etcdctl in target/release (cargo build --release), or in $BINARIES. Ports 23790 to 23899 must be free.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
binaries=${BINARIES:-$root/target/release}
etcd=$binaries/etcd etcdctl=$binaries/etcdctl
[[ -x $etcd && -x $etcdctl ]] || { echo "grow: cargo build --release goes first" >&2; exit 2; }
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"

declare -A pid id
names=() next=0 writers=()

finish() {
  touch "$folder/stop"
  for process in "${writers[@]}" "${pid[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
}
trap finish EXIT

client() { echo "127.0.0.1:$((23790 + 2 * $1))"; }
peer() { echo "http://127.0.0.1:$((23791 + 2 * $1))"; }
endpoints() { local list=(); for name in "${names[@]}"; do list+=("$(client "$name")"); done; (IFS=,; echo "${list[*]}"); }

# Runs etcdctl against whoever is a member, again and again while the refusal may pass.
ctl() {
  local tries=0
  until "$etcdctl" --endpoints="$(endpoints)" --command-timeout=10s "$@" 2>"$folder/why"; do
    ((++tries < 60)) || { echo "grow: $*: $(cat "$folder/why")" >&2; return 1; }
    sleep 0.5
  done
}

# start NAME FLAGS: one more process.
start() {
  local name=$1; shift
  "$etcd" --name="m$name" --data-dir="$folder/m$name" --listen-client-urls="http://$(client "$name")" \
    --advertise-client-urls="http://$(client "$name")" --listen-peer-urls="$(peer "$name")" \
    --initial-advertise-peer-urls="$(peer "$name")" "$@" >"$folder/m$name.log" 2>&1 &
  pid[$name]=$!
}

# The ID of the member at this peer URL.
id_of() { ctl member list | awk -F', ' -v url="$1" '$4 == url { print $1 }'; }

publish() { endpoints >"$folder/endpoints.new"; mv "$folder/endpoints.new" "$folder/endpoints"; }

add() {
  local name=$next said; next=$((next + 1))
  said=$(ctl member add "m$name" --learner --peer-urls="$(peer "$name")")
  start "$name" --initial-cluster="$(sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p' <<<"$said")" \
    --initial-cluster-state=existing
  id[$name]=$(id_of "$(peer "$name")")
  ctl member promote "${id[$name]}"
  names+=("$name"); publish
}

# replace OLD: a new member takes its place.
replace() {
  local old=$1 name=$next said kept=(); next=$((next + 1))
  said=$(ctl member add "m$name" --learner --peer-urls="$(peer "$name")")
  start "$name" --initial-cluster="$(sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p' <<<"$said")" \
    --initial-cluster-state=existing
  id[$name]=$(id_of "$(peer "$name")")
  ctl member replace "${id[$old]}" "$(peer "$name")" --name="m$name"
  for other in "${names[@]}"; do [[ $other == "$old" ]] || kept+=("$other"); done
  names=("${kept[@]}" "$name"); publish
  wait "${pid[$old]}" || { echo "grow: m$old did not end well" >&2; exit 1; }
  unset "pid[$old]"
}

remove() {
  local old=$1 kept=()
  for other in "${names[@]}"; do [[ $other == "$old" ]] || kept+=("$other"); done
  names=("${kept[@]}"); publish
  ctl member remove "${id[$old]}"
  wait "${pid[$old]}" || { echo "grow: m$old did not end well" >&2; exit 1; }
  unset "pid[$old]"
}

# Each key is written once with growing numbers; what was acknowledged is kept, and what is read is never older.
load() {
  local number=0 seen=0 found
  while [[ ! -e $folder/stop ]]; do
    number=$((number + 1))
    if "$etcdctl" --endpoints="$(cat "$folder/endpoints")" --command-timeout=3s put "k/$1" "$number" >/dev/null 2>&1; then
      echo "$number" >"$folder/acked.$1.new"; mv "$folder/acked.$1.new" "$folder/acked.$1"; seen=$number
    fi
    found=$("$etcdctl" --endpoints="$(cat "$folder/endpoints")" --command-timeout=3s get "k/$1" --print-value-only 2>/dev/null) || continue
    [[ ${found:-0} -ge $seen && ${found:-0} -le $number ]] ||
      echo "writer $1 read ${found:-nothing}, and $seen was acknowledged" >>"$folder/stale"
    seen=${found:-$seen}
  done
}

name=$next; next=$((next + 1))
start "$name" --initial-cluster="m$name=$(peer "$name")" --initial-cluster-state=new
names=("$name"); publish
id[$name]=$(id_of "$(peer "$name")")
for writer in 1 2 3 4; do load "$writer" & writers+=($!); done
sleep 2

add; add
echo "three members"
add; add
echo "five members"
for old in "${names[@]}"; do replace "$old"; done
echo "each of them replaced"
while ((${#names[@]} > 1)); do remove "${names[0]}"; done
echo "one member"
sleep 1
touch "$folder/stop"
wait "${writers[@]}"; writers=()

if [[ -e $folder/stale ]]; then cat "$folder/stale" >&2; exit 1; fi
for writer in 1 2 3 4; do
  acked=$(cat "$folder/acked.$writer") found=$(ctl get "k/$writer" --print-value-only)
  ((found >= acked)) || { echo "grow: writer $writer: $acked was acknowledged, $found is there" >&2; exit 1; }
  echo "writer $writer: $acked writes acknowledged, none lost"
done
finish
trap - EXIT
[[ $# -gt 0 ]] || rm -rf "$folder"
