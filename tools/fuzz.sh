#!/usr/bin/env bash
# Fuzz targets, each for some seconds: tools/fuzz.sh [--many] [SECONDS [TARGET...]]. Any finding fails.
#
# The targets are in fuzz/, and fuzz/targets.txt lists them. They are built by plain cargo with coverage
# and AddressSanitizer; nothing needs to be installed. As many targets run at a time as there are processors.
# Inputs that a run finds worth keeping stay in target/fuzz/corpus/TARGET for the next run. An input that
# fails stays in target/fuzz/findings/TARGET: target/fuzz/TRIPLE/release/TARGET FILE runs it again.
#
# --many runs mutations of those inputs without coverage and sanitizer: some ten times as many in the same
# time. target/fuzz/many/many/TARGET FILE runs one input.
set -euo pipefail
cd "$(dirname "$0")/.."
many=
if [ "${1:-}" = --many ]; then
  many=1
  shift
fi
seconds=${1:-60}
shift || true
source tools/fuzz_flags.sh
work=${CARGO_TARGET_DIR:-target}/fuzz
programs=$work/$host/release

names=()
while read -r name _; do
  case $name in '' | '#'*) continue ;; esac
  if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then names+=("$name"); fi
done < fuzz/targets.txt

build() {
  local options=(--quiet --locked --manifest-path fuzz/Cargo.toml)
  local name
  for name in "${names[@]}"; do options+=(--bin "$name"); done
  if [ "$many" ]; then
    programs=$work/many/many
    cargo build "${options[@]}" --profile many --target-dir "$work/many"
    return
  fi
  RUSTC_BOOTSTRAP=1 RUSTFLAGS="$fuzz_flags" \
    cargo build "${options[@]}" --release --target "$host" --target-dir "$work"
}

# A program in the background of this shell, with the files of its process removed.
program() {
  local status=0
  "$@" &
  local child=$!
  wait "$child" || status=$?
  rm -rf "/dev/shm/shardspec-fuzz-$child" "${TMPDIR:-/tmp}/shardspec-fuzz-$child"
  return "$status"
}

run() {
  local target=$1 most=$2 dictionary=$3 status=0 corpora file
  shift 3
  mkdir -p "$work/corpus/$target" "$work/findings/$target"
  # libFuzzer refuses folders that are not there.
  mkdir -p "fuzz/corpus/$target"
  for file; do cp "$file" "$work/corpus/$target/seed-$(basename "$file")"; done
  corpora=("$work/corpus/$target" "fuzz/corpus/$target")
  if [ "$many" ]; then
    program "$programs/$target" --seconds="$seconds" --seed="${SEED:-$RANDOM$RANDOM}" \
      --max-length="$most" --dictionary="fuzz/dictionaries/$dictionary" \
      --finding="$work/findings/$target/many-$$" "${corpora[@]}" > "$work/$target.log" 2>&1 || status=$?
  else
    program "$programs/$target" "${corpora[@]}" \
      -max_total_time="$seconds" -max_len="$most" -timeout=60 -rss_limit_mb=1024 \
      -dict="fuzz/dictionaries/$dictionary" -artifact_prefix="$work/findings/$target/" \
      -print_final_stats=1 > "$work/$target.log" 2>&1 || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$work/$target.log"
    echo "fuzz: $target failed with status $status; the input is in $work/findings/$target"
    return "$status"
  fi
  printf 'fuzz: %s: %s inputs, nothing found\n' "$target" "$(inputs "$work/$target.log")"
}

# How many inputs a run had: the last line of its log that says so.
inputs() {
  sed -n -e 's/^stat::number_of_executed_units: *//p' -e 's/^\([0-9]*\) inputs in .*/\1/p' "$1" | tail -n 1
}

build
failed=0
while read -r name most dictionary seeds; do
  [[ " ${names[*]} " == *" $name "* ]] || continue
  if [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; then wait -n || failed=1; fi
  # shellcheck disable=SC2086  # a list of files
  run "$name" "$most" "$dictionary" $seeds &
done < fuzz/targets.txt
while [ -n "$(jobs -rp)" ]; do wait -n || failed=1; done
for job in $(jobs -p); do wait "$job" || failed=1; done
exit "$failed"
