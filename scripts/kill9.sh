#!/usr/bin/env bash
# Kills members without warning while they are written to, again and again, and looks for what was acknowledged.
#
#   kill9.sh ROUNDS [MEMBERS]
#
# MEMBERS is 1 or 3 (default 1). The programs are etcd and etcdctl of target/release, or of BIN. Members write a
# checkpoint every 20 entries. In every round four clients write under new keys, all members are killed with SIGKILL
# after a while, started again, and every key whose write was acknowledged, in this round or before, must be there.
#
# Exit code 0 if nothing was lost, 1 if something was, 2 if it could not be run. The members' folders stay if not 0.
set -uo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[[ ${1:-} =~ ^[0-9]+$ && ${2:-1} =~ ^[13]$ ]] || usage
rounds=$1 members=${2:-1} clients=4
bin=${BIN:-"$(cd "$(dirname "$0")/.." && pwd)/target/release"}
for program in etcd etcdctl; do
  [[ -x $bin/$program ]] || { echo "kill9: no program $bin/$program" >&2; exit 2; }
done
folder=$(mktemp -d)
declare -A pids=()
writers=()

end() {
  local code=$?
  for pid in "${writers[@]}" "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
  wait 2>/dev/null
  if [[ $code == 0 ]]; then rm -rf "$folder"; else echo "kill9: the members are in $folder" >&2; fi
  exit "$code"
}
trap end EXIT

# Ports that nobody listens on, below those that the system hands out.
port=$((20000 + RANDOM % 10000))
ports=()
while [[ ${#ports[@]} -lt $((2 * members)) ]]; do
  port=$((port + 1))
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || ports+=("$port")
done
initial= endpoints=
for ((m = 0; m < members; m++)); do
  initial+="${initial:+,}m$m=http://127.0.0.1:${ports[2 * m]}"
  endpoints+="${endpoints:+,}127.0.0.1:${ports[2 * m + 1]}"
done

start_all() {
  for ((m = 0; m < members; m++)); do
    local peer=http://127.0.0.1:${ports[2 * m]} client=http://127.0.0.1:${ports[2 * m + 1]}
    "$bin/etcd" --name "m$m" --data-dir "$folder/m$m.etcd" --snapshot-count 20 \
      --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
      --listen-client-urls "$client" --advertise-client-urls "$client" \
      --initial-cluster "$initial" >>"$folder/m$m.log" 2>&1 &
    pids[$m]=$!
    # The shell tells of nobody whom it does not know.
    disown "${pids[$m]}"
  done
  for _ in {1..300}; do
    "$bin/etcdctl" --endpoints "$endpoints" endpoint health >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "kill9: not healthy after a start" >&2
  exit 2
}

# Writes key after key, and notes those that were acknowledged.
write() {
  local number=0
  while [[ -e $folder/writing ]]; do
    number=$((number + 1))
    local key=$1/$number
    if [[ $("$bin/etcdctl" --endpoints "$endpoints" --command-timeout 1s put "$key" "$key" 2>/dev/null) == OK ]]; then
      echo "$key" >>"$folder/acked.$2"
    fi
  done
}

look_after() {
  local there missing
  there=$("$bin/etcdctl" --endpoints "$endpoints" get --prefix "" --keys-only) || exit 2
  missing=$(comm -23 <(acked) <(sed '/^$/d' <<<"$there" | sort))
  if [[ -n $missing ]]; then
    printf 'kill9: lost after round %d:\n%s\n' "$1" "$missing" >&2
    exit 1
  fi
}

acked() { cat "$folder"/acked.* 2>/dev/null | sort; }

for ((round = 1; round <= rounds; round++)); do
  start_all
  look_after "$((round - 1))"
  touch "$folder/writing"
  writers=()
  for ((client = 1; client <= clients; client++)); do
    write "r$round/c$client" "$client" &
    writers+=($!)
  done
  sleep "$((1 + RANDOM % 3)).$((RANDOM % 10))"
  for pid in "${pids[@]}"; do kill -9 "$pid"; done
  for pid in "${pids[@]}"; do while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done; done
  pids=()
  rm "$folder/writing"
  wait "${writers[@]}"
  echo "round $round: $(acked | wc -l) writes acknowledged so far"
done
start_all
look_after "$rounds"
echo "$(acked | wc -l) writes acknowledged, all there; starts from a checkpoint: $(cat "$folder"/*.log | grep -c 'recovered store from snapshot')"
