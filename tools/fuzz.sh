#!/usr/bin/env bash
# Fuzz targets, each for some seconds: tools/fuzz.sh [SECONDS [TARGET...]]. Any finding fails.
#
# The targets are in fuzz/, and fuzz/targets.txt lists them. They are built by plain cargo with coverage
# and AddressSanitizer; nothing needs to be installed. Inputs that a run finds worth keeping stay in
# target/fuzz/corpus/TARGET for the next run. An input that fails stays in target/fuzz/findings/TARGET:
# target/fuzz/TRIPLE/release/TARGET FILE runs it again.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
host=$(rustc -vV | sed -n 's/^host: //p')
work=${CARGO_TARGET_DIR:-target}/fuzz

# The sanitizer's flag is one of nightly compilers, and stable ones have it too. Naming the target keeps
# the flags from what is run while building.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing -Zsanitizer=address $coverage" \
  cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$work"

run() {
  local target=$1 most=$2 dictionary=$3 status=0
  shift 3
  mkdir -p "$work/corpus/$target" "$work/findings/$target"
  # libFuzzer refuses folders that are not there.
  mkdir -p "fuzz/corpus/$target"
  for file; do cp "$file" "$work/corpus/$target/seed-$(basename "$file")"; done
  "$work/$host/release/$target" "$work/corpus/$target" "fuzz/corpus/$target" \
    -max_total_time="$seconds" -max_len="$most" -timeout=60 -rss_limit_mb=1024 \
    -dict="fuzz/dictionaries/$dictionary" -artifact_prefix="$work/findings/$target/" \
    -print_final_stats=1 > "$work/$target.log" 2>&1 &
  local child=$!
  wait "$child" || status=$?
  rm -rf "/dev/shm/shardspec-fuzz-$child" "${TMPDIR:-/tmp}/shardspec-fuzz-$child"
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$work/$target.log"
    echo "fuzz: $target failed with status $status; the input is in $work/findings/$target"
    return "$status"
  fi
  printf 'fuzz: %s: %s inputs, nothing found\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log")"
}

while read -r name most dictionary seeds; do
  case $name in '' | '#'*) continue ;; esac
  if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
  # shellcheck disable=SC2086  # a list of files
  run "$name" "$most" "$dictionary" $seeds
done < fuzz/targets.txt
