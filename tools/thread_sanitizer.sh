#!/usr/bin/env bash
# The C tests that have threads, under ThreadSanitizer: 10 seconds of stress, or as many as are asked
# for, and the rest of them once. Any report fails.
#
# The library and the tests are built with it. std is not, but the code of its that matters here is
# generic, and so built with the library. The runtime is rustc's: the C compiler's may be older.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
runtime=("$(rustc --print sysroot)/lib/rustlib/$host/lib"/librustc-*_rt.tsan.a)
build=target/thread_sanitizer

# Reports name lines.
export CARGO_PROFILE_CHECKED_DEBUG=line-tables-only
# It watches each access that is left, and full optimisation takes longer than all that runs here.
export CARGO_PROFILE_CHECKED_OPT_LEVEL=1
# Of stable compilers too, the flag is one of nightly ones.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
  cargo rustc --lib --crate-type staticlib --profile checked --locked --target "$host" --target-dir "$build"

run() {
  local name=$1
  "${CC:-cc}" -std=c11 -g -O1 -fsanitize=thread -I include -c "c_tests/$name.c" -o "$build/$name.o"
  "${CC:-cc}" "$build/$name.o" -Wl,--whole-archive "${runtime[@]}" -Wl,--no-whole-archive \
    "$build/$host/checked/libshardspec.a" -o "$build/$name" \
    -lgcc_s -lstdc++ -lutil -lrt -lpthread -lm -ldl
  printf '%s under ThreadSanitizer\n' "$name"
  TSAN_OPTIONS="halt_on_error=1 die_after_fork=0" "$build/$@"
}
run stress_ops "${1:-10}"
run test_op_life
run test_op_fork
run test_threads
