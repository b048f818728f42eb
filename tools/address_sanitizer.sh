#!/usr/bin/env bash
# The Rust tests of copies under AddressSanitizer: no kernel reads or writes beside the memory that it
# was given. Any report fails.
#
# Stores around the caches are assembly, which it does not see. What they write besides is found by
# the guard bytes that these tests put around tensors. And scratch is one allocation with its writers.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')

# Reports name lines.
export CARGO_PROFILE_CHECKED_DEBUG=line-tables-only
# Of stable compilers too, the flag is one of nightly ones. Naming the target keeps it from what is
# run while building. The test that is left out takes half a minute here, and reaches no kernel that
# the others don't.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" \
  cargo test --profile checked --locked --target "$host" --target-dir target/address_sanitizer \
  --test copy_kernels --test copy_packed --test copy_properties -- --skip large_tensors
