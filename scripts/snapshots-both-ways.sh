#!/usr/bin/env bash
# Takes a state back and forth between a real etcd and ours, and compares HashKV at every stop.
#
#   snapshots-both-ways.sh [FOLDER OF OUR BINARIES]      default target/debug
#
# Stops: a real member; its snapshot restored by us, for us and for a real member; restored by etcd, for us; its data
# directory imported. Everything happens in a temporary folder on loopback ports 27379 and 27380.
set -euo pipefail

die() { echo "snapshots-both-ways: $*" >&2; exit 1; }
here=$(cd "$(dirname "$0")/.." && pwd)
ours=$(cd "${1:-$here/target/debug}" && pwd)
real=$("$here/scripts/real-etcd.sh" 3.5.1)
client=http://127.0.0.1:27379 peer=http://127.0.0.1:27380
folder=$(mktemp -d)
member=
trap '[[ -z $member ]] || kill "$member" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

start() { # binary, data directory
  "$1" --data-dir "$2" --listen-client-urls $client --advertise-client-urls $client --listen-peer-urls $peer \
    --initial-advertise-peer-urls $peer --initial-cluster default=$peer >"$2.log" 2>&1 &
  member=$!
  for _ in $(seq 100); do
    curl -sf $client/health >health.json && grep -q '"true"' health.json && return
    sleep 0.2
  done
  die "$1 does not become healthy on $2: $(tail -n 3 "$2.log")"
}
stop() { kill "$member"; wait "$member" || true; member=; }
hash() { "$ours/etcdctl" --endpoints $client endpoint hashkv | cut -d, -f2; }
same() { # what was done
  local now
  now=$(hash)
  [[ $now == "$expected" ]] || die "$1: HashKV is $now, not $expected"
  echo "ok $1"
}
cluster=(--initial-cluster "default=$peer" --initial-advertise-peer-urls "$peer")

start "$real/etcd" first
for key in $(seq 200); do "$real/etcdctl" --endpoints $client put "k$((key % 70))" "value $key" >/dev/null; done
"$real/etcdctl" --endpoints $client del k3 >/dev/null
"$real/etcdctl" --endpoints $client compact 150 >/dev/null
"$real/etcdctl" --endpoints $client user add alice:secret >/dev/null
expected=$(hash)
"$ours/etcdctl" --endpoints $client snapshot save saved >/dev/null
stop

"$ours/etcdutl" snapshot restore saved --data-dir by-us "${cluster[@]}" --keep-revisions 2>/dev/null
cp -r by-us by-us-for-real
start "$ours/etcd" by-us && same "real snapshot, restored by us, served by us" && stop
start "$real/etcd" by-us-for-real && same "real snapshot, restored by us, served by etcd" && stop
"$real/etcdutl" snapshot restore saved --data-dir by-real "${cluster[@]}" 2>/dev/null
start "$ours/etcd" by-real && same "real snapshot, restored by etcd, served by us" && stop
"$ours/etcdutl" import --from-data-dir first --data-dir imported 2>/dev/null
start "$ours/etcd" imported && same "real directory, imported, served by us" && stop
