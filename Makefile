# make          build the library and the examples
# make demo     send a prompt through an MLflow gateway to a language model on this machine
# make check    run the tests that need neither a real server nor a sanitizer (2 minutes on two cores)
# make test     install what the tests need and run all tests (10 minutes on two cores)
# make test-arm64, make test-s390x
#               cross-compile the library with its oldest Rust, and run the C tests in an emulator (see CONTRIBUTING.md)
# make compat   test all server versions and write the compatibility tables of README.md
# make bench    compare the library with other clients and write benches/RESULTS.md
# make abi      write abi/libmlflow_ai_gateway.abi; "make check-abi" prints what has changed (see docs/abi.md)
# make fuzz     run each fuzz target for FUZZ_SECONDS (see fuzz/README.md)
# make clean    remove what make has built ("cargo clean" removes all of target/)

CARGO ?= cargo
FUZZ_SECONDS ?= 60
PYTHON ?= python3
# Newer compilers need this flag to link a standard library built without ThreadSanitizer. Older ones reject it.
ALLOW_ABI_MISMATCH = $(shell rustc -C help | sed -n 's/.*\(unsafe-allow-abi-mismatch\)=.*/-C\1=sanitizer/p')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
REAL_GATEWAYS = mlflow-2.5.0 mlflow-2.8.1 mlflow-2.9.2 mlflow-2.10.2 mlflow-2.22.5 mlflow-3.0.1 mlflow-3.9.0 \
    mlflow-3.13.0 mlflow-3.17.2 mlflow-3.18.0 \
    language-model embeddings

# Python uses UTF-8 in any locale.
PYTEST = PYTHONUTF8=1 target/gateways/pytest/bin/python -m pytest --quiet --durations=5

# The name by which programs load the library.
SONAME = libmlflow_ai_gateway.so.0.2

all: examples

library: | need-cargo
	@echo "Building the library. The first build takes one or two minutes ..."
	$(CARGO) build --release --locked
	@ln -sf libmlflow_ai_gateway.so target/release/$(SONAME)

examples: library | need-cc
	@$(MAKE) --no-print-directory -C examples-c

demo: examples | need-python
	@$(PYTHON) examples-c/demo.py

# Parallel jobs use different target directories, because cargo locks its target directory.
check: check-tools
	@$(MAKE) --no-print-directory -j2 library test-rust
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not real and not tool and not alone' tests

test: test-tools
	@$(MAKE) --no-print-directory -j3 test-fuzz test-rust test-builds
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not alone' tests
	$(PYTEST) -m alone tests

# Install what the tests need besides cargo, gcc, make and python3.
check-tools: | need-cargo need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/gateways/install.py pytest

test-tools: | need-cargo need-cc need-python
	@sh tests/install-tools valgrind
	@$(PYTHON) tests/gateways/install.py pytest $(REAL_GATEWAYS)

# Also builds the library with the feature test-panic, because both use target/debug.
test-rust:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --quiet --locked --all-targets --all-features -- --deny warnings
	$(CARGO) test --quiet --locked
	$(CARGO) build --quiet --locked --features test-panic
	@ln -sf libmlflow_ai_gateway.so target/debug/$(SONAME)

# Build the library with AddressSanitizer and ThreadSanitizer, for the C tests. RUSTC_BOOTSTRAP enables the sanitizers
# in stable Rust. Both builds share a target directory, so that build scripts are built once. Full debug information
# would take most of the build time.
test-builds: examples
	$(call build-with,address,-Zsanitizer=address)
	$(call build-with,thread,-Zsanitizer=thread $(ALLOW_ABI_MISMATCH))

define build-with
RUSTC_BOOTSTRAP=1 RUSTFLAGS='$(2)' CARGO_PROFILE_DEV_DEBUG=line-tables-only $(CARGO) rustc --quiet --locked --lib \
    --crate-type staticlib --target $(TRIPLE) --target-dir target/sanitizers
@mkdir -p target/$(1)
@ln -f target/sanitizers/$(TRIPLE)/debug/libmlflow_ai_gateway.a target/$(1)/
endef

# Run each saved fuzzing input once, with AddressSanitizer and LeakSanitizer.
test-fuzz:
	@sh fuzz/run 0

# Test another processor, and the oldest supported Rust.
test-arm64 test-s390x: | need-cc need-python
	@sh tests/cross/install $(@:test-%=%)
	@$(PYTHON) tests/gateways/install.py pytest
	@sh tests/cross/run $(@:test-%=%)

# The description of what compiled programs use.
abi: library | need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/abi.py write

check-abi: library | need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/abi.py check

compat: test-tools library
	@target/gateways/pytest/bin/python tests/compat.py --write

fuzz: | need-cargo
	@sh tests/install-tools
	@sh fuzz/run $(FUZZ_SECONDS)

bench: library | need-cc need-python
	@$(PYTHON) benches/run.py
	@$(PYTHON) benches/run.py --soak

clean:
	$(MAKE) -C examples-c clean
	$(CARGO) clean --release

need-cargo: TOOL = $(CARGO)
need-cc: TOOL = $(CC)
need-python: TOOL = $(PYTHON)
need-cargo need-cc need-python:
	@command -v $(TOOL) >/dev/null || \
	    { echo "make: $(TOOL) is not installed; see \"Install\" in README.md" >&2; exit 1; }

.PHONY: need-cargo need-cc need-python all library examples demo check check-tools test test-tools test-rust test-builds \
    test-fuzz test-arm64 test-s390x abi check-abi compat fuzz bench clean
