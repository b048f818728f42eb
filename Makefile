# `make demo` and `make test` are all a newcomer needs.
CARGO ?= cargo

.PHONY: test build clean

build:
	$(CARGO) build --release --locked
	ln -sf libshardspec.so target/release/libshardspec.so.0

test: build
	$(CARGO) test --release --locked

clean:
	$(CARGO) clean
