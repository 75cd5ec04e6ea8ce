#!/usr/bin/env bash
# A short fuzz run, as a test: every input of the corpus, then fresh ones from seed 1 for 20 seconds.
# usage: fuzz_smoke.sh PROGRAM CORPUS_FOLDER      the folder may be missing; nothing is written to it
# Exit status: that of the fuzzer. An input that fails is kept, and the command that repeats it printed.
set -euo pipefail
program=$1 corpus=$2
target=$(basename "$program")
seconds=${MHP_FUZZ_SECONDS:-20}
scratch=$(mktemp -d "${MHP_TMP:-${TMPDIR:-/tmp}}/mhp-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
mkdir "$scratch/found"
options=(-seed="${MHP_SEED:-1}" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -artifact_prefix="$scratch/")
folders=("$scratch/found")

failed() { # STATUS
  local kept input
  cat "$log"
  kept=$(dirname "$program")/found
  mkdir -p "$kept"
  for input in "$scratch"/{crash,leak,timeout,oom}-*; do
    [[ -e $input ]] || continue
    cp "$input" "$kept/"
    echo "$target failed. Repeat: ./dev fuzz $target $kept/$(basename "$input")"
  done
  echo "$target failed with status $1. All of it again: $0 $program $corpus"
  exit "$1"
}

if [[ -d $corpus ]]; then
  folders+=("$corpus")
  "$program" -runs=0 "${options[@]}" "$corpus" >"$log" 2>&1 || failed $?
fi
"$program" -max_total_time="$seconds" "${options[@]}" "${folders[@]}" >"$log" 2>&1 || failed $?
runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
echo "$target: ${runs:?} runs in $seconds s; repeat: MHP_SEED=${MHP_SEED:-1} $0 $program $corpus"
if [[ -n ${MHP_COUNTS:-} ]]; then
  printf '8\tfresh inputs of fuzz targets\t%s\n8\tfuzz targets\t1\n' "$runs" >>"$MHP_COUNTS"
fi
