# make          build the library and the examples
# make demo     send a prompt through a real MLflow gateway to a real language model, on this machine
# make check    run the tests that need no real server and no sanitizer: a minute or two, for while you work
# make test     install what the tests need, and run all of them: about eight minutes on two cores
# make compat   run one program against real servers of many versions, and write the tables of README.md
# make bench    measure the library beside other clients; the results are in benches/RESULTS.md
# make fuzz     fuzz what reads responses, settings and arguments, each target for FUZZ_SECONDS: fuzz/README.md
# make clean    remove what was built; "cargo clean" removes what was installed under target/ as well

CARGO ?= cargo
FUZZ_SECONDS ?= 60
PYTHON ?= python3
# Newer compilers refuse a standard library without ThreadSanitizer unless this is set; older ones do not have it.
STD_AS_IT_IS = $(shell rustc -C help | sed -n 's/.*\(unsafe-allow-abi-mismatch\)=.*/-C\1=sanitizer/p')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
REAL_GATEWAYS = mlflow-2.5.0 mlflow-2.8.1 mlflow-2.9.2 mlflow-2.10.2 mlflow-2.22.5 mlflow-3.0.1 mlflow-3.9.0 \
    mlflow-3.13.0 mlflow-3.17.2 mlflow-3.18.0 \
    language-model embeddings

# In UTF-8 whatever the locale is.
PYTEST = PYTHONUTF8=1 target/gateways/pytest/bin/python -m pytest --quiet --durations=5

# Programs that are linked with the library look for it by this name.
SONAME = libmlflow_ai_gateway.so.0.2

all: examples

library: | need-cargo
	@echo "Building the library (a minute or two the first time) ..."
	$(CARGO) build --release --locked
	@ln -sf libmlflow_ai_gateway.so target/release/$(SONAME)

examples: library | need-cc
	@$(MAKE) --no-print-directory -C examples-c

demo: examples | need-python
	@$(PYTHON) examples-c/demo.py

# The jobs have target directories of their own, so that no cargo waits for another one.
check: check-tools
	@$(MAKE) --no-print-directory -j2 library test-rust
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not real and not tool and not alone' tests

test: test-tools
	@$(MAKE) --no-print-directory -j3 test-fuzz test-rust test-builds
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not alone' tests
	$(PYTEST) -m alone tests

# What cargo, gcc, make and python3 do not bring along.
check-tools: | need-cargo need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/gateways/install.py pytest

test-tools: | need-cargo need-cc need-python
	@sh tests/install-tools valgrind
	@$(PYTHON) tests/gateways/install.py pytest $(REAL_GATEWAYS)

# With the build that panics on demand: it has the same target directory.
test-rust:
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --quiet --locked --all-targets --all-features -- --deny warnings
	$(CARGO) test --quiet --locked
	$(CARGO) build --quiet --locked --features test-panic
	@ln -sf libmlflow_ai_gateway.so target/debug/$(SONAME)

# The library in the other builds that the C tests link to. Stable Rust has AddressSanitizer and ThreadSanitizer, but
# does not yet promise to keep them. Both builds share what is built for the compiler itself, and debug data is what
# most of the time would be spent on.
test-builds: examples
	$(call build-with,address,-Zsanitizer=address)
	$(call build-with,thread,-Zsanitizer=thread $(STD_AS_IT_IS))

define build-with
RUSTC_BOOTSTRAP=1 RUSTFLAGS='$(2)' CARGO_PROFILE_DEV_DEBUG=line-tables-only $(CARGO) rustc --quiet --locked --lib \
    --crate-type staticlib --target $(TRIPLE) --target-dir target/sanitizers
@mkdir -p target/$(1)
@ln -f target/sanitizers/$(TRIPLE)/debug/libmlflow_ai_gateway.a target/$(1)/
endef

# Run each input that was ever worth keeping once, in a build that notices each wrong memory access and each leak.
test-fuzz:
	@sh fuzz/run 0

compat: test-tools library
	@target/gateways/pytest/bin/python tests/support/compat.py --write

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
	    { echo "make: $(TOOL) is not installed; see \"What you need\" in README.md" >&2; exit 1; }

.PHONY: need-cargo need-cc need-python all library examples demo check check-tools test test-tools test-rust test-builds \
    test-fuzz compat fuzz bench clean
