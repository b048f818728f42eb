# The flags of the fuzz targets: the sanitizer, and the coverage by which libFuzzer chooses inputs. To be sourced.
# What is built with all of them, in target/fuzz, has the library in common.
#
# The sanitizer's flag is one of nightly compilers, and stable ones have it too. Naming the target keeps the flags
# from what is run while building.
host=$(rustc -vV | sed -n 's/^host: //p')
fuzz_flags="--cfg fuzzing -Zsanitizer=address"
fuzz_flags+=" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
fuzz_flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
fuzz_flags+=" -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
