#!/usr/bin/env bash
# Mutation tests: tools/mutants.sh MODULE [SHARD], where MODULE is `dim_maps`, and SHARD is as 0/10.
#
# cargo-mutants changes one operator or function at a time and runs tests. A change that no test finds is listed as
# missed. It works on a copy of the sources in target/mutants/MODULE.
#
# `dim_maps` is blocks.rs, dim_map.rs and stretch.rs of src/geometry, with only the folders that these use and only
# their own tests, so that a change takes seconds.
#
# It needs `cargo install cargo-mutants`.
set -euo pipefail
cd "$(dirname "$0")/.."
module=$1
shard=${2:-0/1}
work=$PWD/target/mutants/$module
rm -rf "$work/src" "$work/tests"
mkdir -p "$work/src" "$work/tests"

case $module in
dim_maps)
  for folder in concurrency declared memory sync unwind geometry; do
    cp -r "src/$folder"* "$work/src/"
    printf '#[allow(dead_code, unused_imports, missing_docs)]\npub mod %s;\n' "$folder"
  done > "$work/src/lib.rs"
  {
    echo 'mod common {'
    sed -n '/^pub struct Random/,/^}/p' tests/common/mod.rs
    echo 'pub mod cuts { use shardspec::geometry::*;'
    sed -n '/^pub fn block_cyclic/,/^}/p' tests/common/cuts.rs
    echo '} }'
    sed '/^mod common;/d; /^#!\[/,/^)\]/d; /^\/\/!/d' tests/layouts/geometry_dim_maps.rs
  } > "$work/tests/geometry_dim_maps.rs"
  # Without the library's build script, which makes the header.
  cat > "$work/Cargo.toml" << END
[package]
name = "shardspec"
version = "0.1.0"
edition = "2024"
[workspace]
[dependencies]
$(grep '^libc = \|^ndarray = \|^thiserror = ' Cargo.toml)
[dev-dependencies]
$(grep '^proptest = ' Cargo.toml)
[lints.rust]
unexpected_cfgs = "allow"
END
  files=(--file src/geometry/blocks.rs --file src/geometry/dim_map.rs --file src/geometry/stretch.rs)
  tests=(--lib --test geometry_dim_maps)
  ;;
*)
  echo "no module is named $module; there is dim_maps" >&2
  exit 2
  ;;
esac
cp Cargo.lock "$work/"

export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_TEST_DEBUG_ASSERTIONS=false \
  CARGO_PROFILE_TEST_OPT_LEVEL=1 CARGO_PROFILE_TEST_OVERFLOW_CHECKS=true CARGO_TARGET_DIR="$work/target"
cd "$work"
cargo mutants --in-place --shard "$shard" --sharding round-robin --output "$work" "${files[@]}" \
  --minimum-test-timeout 60 -- "${tests[@]}"
