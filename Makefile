# `make demo` and `make test` are all a newcomer needs; what they need they fetch into .venv and
# target.
CARGO ?= cargo
PYTHON ?= python3
BUILD := target/c_tests
LIBRARY := target/release/libshardspec.so.0
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Mutation tests: mutants/run.py.
MODULE ?= geometry
SHARD ?= 0/1
LIMIT ?= 2

# Loom's processes: models, and weaker orderings.
MODELS := target/models/release/models

FILE ?= examples/data/iris.npy
RANKS ?= 4
PYTHON_BENCH ?= .venv/bin/python
CASES ?=
RUNTIMES ?=
SECONDS ?= 60
CALLS ?= 200000
MACHINES ?=
TARGETS ?=

# Rust's tests, and the library that is built for them, compiled faster.
CHECKED := RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tools/rustc_for_tests.sh

PREFIX ?= /usr/local
INSTALL := target/install

# Runs a command with its output in a file, and shows that only if the command fails: $(call quietly,file,command)
quietly = $(2) > $(1) 2>&1 || { cat $(1); exit 1; }

.PHONY: help build command install uninstall demo test test-rust test-c test-python test-python-in-one-piece test-runtimes bench bench-plan bench-comm bench-files bench-geometry bench-python models models-weakened mutants fuzz fuzz-many fuzz-python wheels clean

help:
	@echo "make demo    shard a tensor, show who owns what, put it together again"
	@echo "             FILE=x.npy DIM=1 RANKS=8 for an array of your own"
	@echo "make test    all tests: Rust, C and Python"
	@echo "make test-runtimes  the examples in other languages, in runtimes that it fetches into target;"
	@echo "             RUNTIMES='go node' for some"
	@echo "make bench   how fast copies are; CASES='columns scatter' for some, PYTHON_BENCH=path for a"
	@echo "             Python that has torch"
	@echo "make bench-plan  how long plans and questions about places take, beside torch's planner"
	@echo "make bench-comm  collectives and transfers against the same by hand with MPI, 2 and 4 processes"
	@echo "make bench-files  reading parts of a checkpoint, beside plain reads, safetensors and torch"
	@echo "make bench-geometry  how long specs, metadata and layouts of whole models take"
	@echo "make bench-python  what a view, a call and a million boxes cost from Python"
	@echo "make models  models of the lock-free parts, in every order of their accesses"
	@echo "make models-weakened  the same with each ordering weakened in turn; takes long"
	@echo "make mutants MODULE=geometry SHARD=0/4  changes of the code that no test finds: geometry, plan, transfer"
	@echo "make fuzz SECONDS=60  each fuzz target for so many seconds; TARGETS='npy' for some"
	@echo "make fuzz-many SECONDS=60  the same without coverage and sanitizer, some ten times as many inputs"
	@echo "make fuzz-python CALLS=200000  public functions of the package with random objects"
	@echo "make wheels  wheels for Linux in target/wheels, for x86_64 and aarch64; MACHINES=x86_64 for one"
	@echo "make build   target/release/libshardspec.{so,a} and include/shardspec.h"
	@echo "make command target/release/shardspec, the command"
	@echo "make install PREFIX=/usr/local    into a prefix; DESTDIR= is put before it"
	@echo "make uninstall PREFIX=/usr/local  what make install put there"
	@echo "make clean   remove what was built and fetched"

# Cargo knows what is out of date. Programs look for the library by the name inside it. The reference
# is made from the header that the build wrote.
build:
	@echo "cargo: target/release/libshardspec.{so,a} and include/shardspec.h; the first build takes some minutes"
	@MAKEFLAGS= $(CARGO) build --release --locked --quiet
	@ln -sf libshardspec.so $(LIBRARY)
	@$(PYTHON) python/native/build.py target/release
	@$(PYTHON) tools/reference.py

# A minute more, and nobody needs it who links the library: so `build` leaves it out.
command:
	MAKEFLAGS= $(CARGO) build --release --locked --package shardspec-cli

# Packages and whoever needs other options run cmake themselves; see CMakeLists.txt.
install: $(INSTALL)
	cmake --build $(INSTALL)
	cmake --install $(INSTALL) --prefix "$(PREFIX)"

uninstall: $(INSTALL)
	cmake --build $(INSTALL)
	cmake -D BUILD=$(INSTALL) -D PREFIX="$(PREFIX)" -P cmake/uninstall.cmake

.PHONY: $(INSTALL)
$(INSTALL): .venv/.ready
	cmake -S . -B $(INSTALL) -G Ninja -D CMAKE_INSTALL_PREFIX="$(PREFIX)" \
	  -D SHARDSPEC_TARGET_DIR=$(CURDIR)/target

demo: $(BUILD)/build.ninja
	@$(MAKE) --no-print-directory build
	@echo "cmake: $(BUILD)/demo, from examples/demo.c"
	@$(call quietly,$(BUILD)/demo.log,cmake --build $(BUILD) --target demo)
	@echo
	@$(BUILD)/demo $(FILE) $(RANKS) $(DIM)

# The library is compiled on one processor for minutes, and the Python tests use one: meanwhile Rust's tests use
# the others, and what the first two leave of theirs. Cargo counts its jobs itself.
test:
	@$(MAKE) --no-print-directory -j 2 test-rust test-python-in-one-piece
	@$(MAKE) --no-print-directory test-c

# What they print comes at their end, and not between the lines of others.
test-python-in-one-piece:
	@mkdir -p target
	@echo "pytest: in the background; what it prints follows at its end"
	@$(MAKE) --no-print-directory test-python > target/test-python.log 2>&1; status=$$?; \
	  cat target/test-python.log; exit $$status

test-rust:
	MAKEFLAGS= $(CHECKED) nice $(CARGO) test --profile checked --locked --workspace

# The C tests also run with the library of Rust's tests, which checks what the header declares.
test-c: build $(BUILD)/build.ninja
	MAKEFLAGS= $(CHECKED) $(CARGO) build --profile checked --locked --lib
	cmake --build $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure -j 2

test-python: build $(BUILD)/build.ninja
	cmake --build $(BUILD) --target demo read_shard tensor_parallel_loader
	.venv/bin/python -m pytest -q python/tests

test-runtimes: build
	@$(MAKE) --no-print-directory install PREFIX=$(CURDIR)/target/runtimes/prefix > /dev/null
	.venv/bin/python tools/runtimes.py target/runtimes/prefix $(RUNTIMES)

bench: build .venv/.ready
	@mkdir -p target/bench
	$(CC) -std=gnu11 -O3 -Wall -Wextra -Werror -I include -shared -fPIC -pthread \
	  -o target/bench/liblimit.so $(wildcard benches/copy/*.c)
	$(PYTHON_BENCH) benches/copy/bench.py $(CASES)

bench-plan: build .venv/.ready
	@mkdir -p target/bench
	$(CC) -std=c11 -O2 -Wall -Wextra -Werror -I include -shared -fPIC -o target/bench/libowner.so \
	  benches/plan/owner.c
	$(PYTHON_BENCH) benches/plan/bench.py

bench-comm: build $(BUILD)/build.ninja
	@mkdir -p target/bench
	@cmake --build $(BUILD) --target build_bench_comm build_bench_jobs
	mpiexec -n 4 $(BUILD)/bench_comm target/bench/comm.json
	mpiexec -n 2 $(BUILD)/bench_jobs target/bench/jobs-2.json
	mpiexec -n 4 $(BUILD)/bench_jobs target/bench/jobs-4.json

bench-files: build .venv/.ready
	$(PYTHON_BENCH) benches/files/bench.py
	$(PYTHON_BENCH) benches/files/write.py

bench-geometry:
	$(CARGO) bench --locked --package shardspec-benches

bench-python: build .venv/.ready
	$(PYTHON_BENCH) benches/python/bench.py

# Each model passes, and fails where an ordering that it needs is weakened.
models: $(MODELS)
	$(MODELS)
	$(PYTHON) models/weaken.py $(MODELS) --known

models-weakened: $(MODELS)
	$(PYTHON) models/weaken.py $(MODELS)

.PHONY: $(MODELS)
$(MODELS):
	RUSTFLAGS="--cfg loom" $(CARGO) build --release --locked --manifest-path models/Cargo.toml --target-dir target/models

mutants:
	$(PYTHON) mutants/run.py $(MODULE) $(SHARD) --limit $(LIMIT)

fuzz:
	tools/fuzz.sh $(SECONDS) $(TARGETS)

fuzz-many:
	tools/fuzz.sh --many $(SECONDS) $(TARGETS)

wheels:
	$(PYTHON) tools/wheels.py $(MACHINES)

fuzz-python: build .venv/.ready
	PYTHONPATH=python .venv/bin/python -X faulthandler python/tests/package/fuzz_calls.py $(CALLS)

$(BUILD)/build.ninja: .venv/.ready c_tests/CMakeLists.txt
	@mkdir -p $(BUILD)
	@echo "cmake: $(BUILD), the folder in which the C programs are built"
	@$(call quietly,$(BUILD)/configure.log,cmake -S c_tests -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release)

.venv/.ready: tools/requirements.txt
	@echo "pip: .venv, with the Python packages of tools/requirements.txt"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
	@touch $@

clean:
	rm -rf target .venv
