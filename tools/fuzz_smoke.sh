#!/usr/bin/env bash
# A short fuzz run, as a test: every input of the corpus, then fresh ones from seed 1. MHP_LONG=1 runs for an hour.
# usage: fuzz_smoke.sh PROGRAM CORPUS_FOLDER      the folder may be missing; nothing is written to it
# Exit status: that of the fuzzer. An input that fails is kept, and the command that repeats it printed.
set -euo pipefail
program=$1 corpus=$2
target=$(basename "$program")
runs=10000 seconds=20
if [[ ${MHP_LONG:-} == 1 ]]; then runs=-1 seconds=3600; fi
scratch=$(mktemp -d "${MHP_TMP:-${TMPDIR:-/tmp}}/mhp-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/found"
options=(-seed="${MHP_SEED:-1}" -rss_limit_mb=2048 -timeout=10 -max_len=65536 -artifact_prefix="$scratch/")
folders=("$scratch/found")

failed() { # STATUS
  local kept input
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
  "$program" -runs=0 "${options[@]}" "$corpus" || failed $?
fi
"$program" -runs="$runs" -max_total_time="$seconds" "${options[@]}" "${folders[@]}" || failed $?
