# make          builds the library and the examples
# make demo     asks a real MLflow gateway and a real language model, on this machine
# make test     installs what the tests need, and runs all of them
# make compat   asks the real servers of eight MLflows the same, and writes README.md's table of what works
# make bench    measures the library beside other clients; the results are in benches/RESULTS.md
# make fuzz     feeds what reads answers, settings and arguments with chance, each part for FUZZ_SECONDS: fuzz/README.md
# make clean    removes what was built; "cargo clean" removes what was installed under target/ as well

CARGO ?= cargo
FUZZ_SECONDS ?= 60
PYTHON ?= python3
# Newer compilers want to be told that the standard library is without ThreadSanitizer; older ones do not know how.
STD_AS_IT_IS = $(shell rustc -C help | sed -n 's/.*\(unsafe-allow-abi-mismatch\)=.*/-C\1=sanitizer/p')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
REAL_GATEWAYS = mlflow-2.5.0 mlflow-2.8.1 mlflow-2.9.2 mlflow-2.10.2 mlflow-2.22.5 mlflow-3.0.1 mlflow-3.17.2 \
    language-model embeddings

# Programs that are linked with the library look for it by this name.
SONAME = libmlflow_ai_gateway.so.0

all: examples

library: | need-cargo
	@echo "Building the library (a minute or two the first time) ..."
	$(CARGO) build --release --locked
	@ln -sf libmlflow_ai_gateway.so target/release/$(SONAME)

examples: library | need-cc
	@$(MAKE) --no-print-directory -C examples-c

demo: examples | need-python
	@$(PYTHON) examples-c/demo.py

test: test-tools test-rust test-builds test-fuzz test-c

# What cargo, gcc, make and python3 do not bring along.
test-tools: | need-cargo need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/gateways/install.py tests $(REAL_GATEWAYS)

test-rust: test-tools
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --quiet --locked --all-targets --all-features -- --deny warnings
	$(CARGO) test --quiet --locked

# The library in the other builds that the C tests link to: one that panics on demand, and those under AddressSanitizer
# and ThreadSanitizer, which stable Rust has, too, but does not yet promise to keep.
test-builds: test-tools examples
	$(CARGO) build --quiet --locked --features test-panic
	@ln -sf libmlflow_ai_gateway.so target/debug/$(SONAME)
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
	    $(CARGO) build --quiet --locked --target $(TRIPLE) --target-dir target/address
	RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=thread $(STD_AS_IT_IS)' \
	    $(CARGO) build --quiet --locked --target $(TRIPLE) --target-dir target/thread

# Once all inputs that were ever worth keeping, in a build that notices each wrong access to memory and each leak.
test-fuzz: test-tools
	@sh fuzz/run 0

test-c: test-tools test-builds
	target/gateways/tests/bin/python -m pytest --durations=8 tests

compat: test-tools library
	@target/gateways/tests/bin/python tests/compat.py --write

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

.PHONY: need-cargo need-cc need-python all library examples demo test test-tools test-rust test-builds test-fuzz test-c \
    compat fuzz bench clean
.NOTPARALLEL:
