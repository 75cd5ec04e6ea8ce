#!/bin/sh
# Short fuzzing of one target, as a test: replays its corpus, then tries 10,000 fresh inputs (20 s at most) from seed 1.
# usage: tools/fuzz_smoke.sh BINARY CORPUS_DIR     the folder may be missing; nothing is written to it
# Exit status: that of the fuzzer; 2 for wrong use. A crashing input is kept and named.
set -u

if [ $# -ne 2 ] || [ ! -x "$1" ]; then
  echo "usage: $0 BINARY CORPUS_DIR" >&2
  exit 2
fi
script=$(realpath "$0")
binary=$(realpath "$1")
corpus=$(realpath -m "$2")
work=$(mktemp -d "${TMPDIR:-/tmp}/mhp-fuzz.XXXXXX") || exit 2

# Runs the fuzzer in the temporary folder; where it fails, says how to do it again and leaves the folder there.
run() {
  (cd "$work" && "$binary" -rss_limit_mb=2048 -timeout=10 "$@") && return
  status=$?
  echo "fuzz_smoke: failed with status $status; the same again: $script $binary $corpus" >&2
  for input in "$work"/crash-* "$work"/oom-* "$work"/timeout-* "$work"/leak-*; do
    [ -e "$input" ] && echo "fuzz_smoke: this input alone: $binary $input" >&2
  done
  exit "$status"
}

mkdir "$work/found"
if [ -d "$corpus" ]; then
  run -runs=0 "$corpus"
  set -- "$work/found" "$corpus"
else
  set -- "$work/found"
fi
run -seed=1 -runs=10000 -max_len=65536 -max_total_time=20 "$@"
rm -rf "$work"
