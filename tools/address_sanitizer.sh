#!/usr/bin/env bash
# The Rust tests of copies under AddressSanitizer: no kernel reads or writes beside the memory that it
# was given. Any report fails.
#
# They use the library of the fuzz targets, which is built with the sanitizer. Stores around the caches are
# assembly, which it does not see. What they write besides is found by the guard bytes that these tests put
# around tensors. And scratch is one allocation with its writers.
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/fuzz_flags.sh

# One test that is left out takes half a minute here, and reaches no kernel that the others don't. The others
# measure the stack, of which the sanitizer needs more.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$fuzz_flags" \
  cargo test --quiet --release --locked --manifest-path fuzz/Cargo.toml --target "$host" \
  --target-dir "${CARGO_TARGET_DIR:-target}/fuzz" --test copy -- --skip large_tensors --skip stack::
