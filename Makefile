# make          build the library and the examples
# make install  install the library, with the usual PREFIX (/usr/local), LIBDIR, INCLUDEDIR and DESTDIR
# make uninstall  remove what make install with the same variables has installed
# make dist     build the release archives for x86-64 and arm64 in target/dist (20 minutes on two cores the first time)
# make gem      build the Ruby gems in target/dist, with the libraries of the archives
# make test-gem  build them, and test them in a minimal Debian with a newer Ruby (needs root; 3 minutes the first time)
# make test-dist  build and test the archives
# make test-cargo-c  compare what cargo-c installs with make install
# make deb      build the Debian packages in target/deb
# make test-packages  build the Debian packages and test them in a minimal Debian (needs root; 4 minutes the first time)
# make demo     send a prompt through an MLflow gateway to a language model on this machine
# make check    run the tests that need neither a real server nor a sanitizer (2 minutes on two cores)
# make test     install what the tests need and run all tests (15 minutes on two cores)
# make test-go  run all tests of the Go binding, more than make test does (3 minutes)
# make install-go-example  build Go programs with an installed library, in each way, and run them
# make test-arm64, make test-s390x
#               cross-compile the library with its oldest Rust, and run the C tests in an emulator (see CONTRIBUTING.md)
# make test-real-queues  send 200 prompts to a language model one by one and through a queue (3 minutes)
# make test-ruby  test the Ruby binding with more repetitions than make test does (4 minutes)
# make compat   test all server versions and write the compatibility tables of README.md
# make bench    compare the library with other clients and write benches/RESULTS.md
# make abi      write abi/libmlflow_ai_gateway.abi; "make check-abi" prints what has changed (see docs/abi.md)
# make fuzz     run each fuzz target for FUZZ_SECONDS (see fuzz/README.md)
# make man      write a man page for each function into target/man/
# make docs     build a site of the guide and the header in target/docs/html/ with Doxygen
# make test-docs  the same, with three screenshots of it in target/docs/screenshots/
# make clean    remove what make has built ("cargo clean" removes all of target/)

CARGO ?= cargo
FUZZ_SECONDS ?= 60
PYTHON ?= python3
# Newer compilers need this flag to link a standard library built without ThreadSanitizer. Older ones reject it.
ALLOW_ABI_MISMATCH = $(shell rustc -C help | sed -n 's/.*\(unsafe-allow-abi-mismatch\)=.*/-C\1=sanitizer/p')
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
REAL_GATEWAYS = mlflow-2.5.0 mlflow-2.8.1 mlflow-2.9.2 mlflow-2.10.2 mlflow-2.22.5 mlflow-3.0.1 mlflow-3.9.0 \
    mlflow-3.13.0 mlflow-3.17.2 mlflow-3.18.0 \
    language-model embeddings openai openmpi zig

# Python uses UTF-8 in any locale.
PYTEST = PYTHONUTF8=1 target/gateways/pytest/bin/python -m pytest --quiet --durations=5

# The static library that is installed.
STATIC = target/package/libmlflow_ai_gateway.a

# The program that is installed.
BATCH = target/package/mlflow-gateway-batch

# The name by which programs load the library.
SONAME = libmlflow_ai_gateway.so.0.2

all: examples

# With the crate types named here, cargo leaves out the Rust library, which it never optimizes together with its
# dependencies: the shared library is 230 KB smaller, and a call takes 6 % fewer instructions.
library: | need-cargo
	@echo "Building the library. The first build takes one or two minutes ..."
	$(CARGO) rustc --release --locked --lib --crate-type cdylib,staticlib
	@ln -sf libmlflow_ai_gateway.so target/release/$(SONAME)
	@$(MAKE) --no-print-directory --silent $(STATIC)

examples: library | need-cc
	@$(MAKE) --no-print-directory -C examples-c
	@$(MAKE) --no-print-directory --silent $(BATCH)

# Fails if a function has no comment, or if no program of docs/man/examples calls it.
man: | need-python
	@PYTHONUTF8=1 $(PYTHON) docs/generate/man.py

# Fails if Doxygen reports anything.
docs: | need-python
	@PYTHONUTF8=1 $(PYTHON) docs/generate/site.py

test-docs: | need-python
	@sh tests/install-tools doxygen chromium
	@$(MAKE) --no-print-directory docs
	@PYTHONUTF8=1 $(PYTHON) docs/generate/screenshots.py

# "sudo make install" after "make" needs no cargo: it builds only what is missing.
install: target/release/libmlflow_ai_gateway.so $(STATIC) $(BATCH) man
	@PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' DESTDIR='$(DESTDIR)' sh packaging/install install

uninstall:
	@PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' DESTDIR='$(DESTDIR)' sh packaging/install uninstall

$(STATIC): target/release/libmlflow_ai_gateway.so target/release/libmlflow_ai_gateway.a packaging/static-library
	@sh packaging/static-library target/release/libmlflow_ai_gateway.so target/release/libmlflow_ai_gateway.a $@

$(BATCH): $(STATIC) examples-c/batch.c $(wildcard examples-c/batch_parts/*) packaging/batch
	@CC='$(CC)' sh packaging/batch $(STATIC) $@

target/release/libmlflow_ai_gateway.so target/release/libmlflow_ai_gateway.a:
	@$(MAKE) --no-print-directory library

# The release archives. On Debian and Ubuntu, as root, it installs the arm64 parts of Rust and binutils.
dist: dist-x86_64 dist-aarch64
	@cd target/dist && sha256sum *.tar.gz *.cdx.json >SHA256SUMS && cat SHA256SUMS

dist-x86_64 dist-aarch64: dist-%: | need-cargo need-cc need-python
	@sh packaging/install-tools $*
	@$(PYTHON) tests/gateways/install.py packaging
	@sh packaging/dist $*

# Needs ruby.
gem: dist
	@rm -f target/dist/*.gem && sh packaging/gem target/dist
	@for cpu in x86_64 aarch64; do \
	    rm -rf target/dist/build/*-linux-$$cpu && \
	    tar -xzf target/dist/mlflow-ai-gateway-*-linux-$$cpu.tar.gz -C target/dist/build --wildcards '*/lib/lib*.so.*.*.*' && \
	    sh packaging/gem target/dist $$cpu-linux target/dist/build/*-linux-$$cpu/lib/lib*.so.*.*.* || exit 1; \
	done

test-gem: test-tools gem library
	@sh packaging/clean-root trixie ruby ruby-ffi ruby-minitest
	$(PYTEST) tests/packaging/test_gem.py

test-dist: check-tools dist
	@sh packaging/clean-root bullseye
	@sh tests/install-tools go-staticcheck
	$(PYTEST) tests/packaging/test_dist.py

# Needs the programs of Debian's dpkg-dev.
deb: examples | need-cargo need-python
	@sh packaging/debian/build target/deb

test-packages: check-tools deb
	@sh tests/install-tools lintian
	@sh packaging/clean-root "$$(. /etc/os-release && echo "$$VERSION_CODENAME")" \
	    gcc g++ libc6-dev make pkg-config cmake dpkg-dev man-db
	$(PYTEST) tests/packaging/test_debian_in_clean_root.py

test-cargo-c: check-tools all man
	@sh packaging/install-tools cargo-c
	$(PYTEST) tests/packaging/test_cargo_c.py

demo: examples | need-python
	@$(PYTHON) examples-c/demo.py

# Parallel jobs use different target directories, because cargo locks its target directory.
check: check-tools
	@$(MAKE) --no-print-directory -j2 examples test-rust
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not real and not tool and not alone' tests

test: test-tools
	@$(MAKE) --no-print-directory -j3 docs test-fuzz test-rust test-builds
	$(PYTEST) --numprocesses=auto --dist=loadgroup -m 'not alone' tests
	$(PYTEST) -m alone tests

test-ruby: test-tools library
	RUBY_LONG=1 $(PYTEST) tests/test_ruby.py

# Install what the tests need besides cargo, gcc, make and python3.
check-tools: | need-cargo need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/gateways/install.py pytest

test-tools: | need-cargo need-cc need-python
	@sh tests/install-tools doxygen valgrind go-staticcheck
	@$(PYTHON) tests/gateways/install.py pytest go $(REAL_GATEWAYS)

# Two versions of Go are installed: the oldest that is supported, and the newest. make test has fewer modes and
# repetitions of these tests.
test-go: library | need-cc need-python
	@sh tests/install-tools go-staticcheck
	@$(PYTHON) tests/gateways/install.py pytest go mlflow-2.8.1 mlflow-2.22.5 mlflow-3.17.2 language-model embeddings
	GO_TESTS=all $(PYTEST) tests/test_go*.py

install-go-example: library | need-cc need-python
	@sh tests/install-tools go-staticcheck
	@$(PYTHON) tests/gateways/install.py pytest go
	GO_TESTS=all $(PYTEST) tests/test_go_install.py

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
@mkdir -p target/$(1)
RUSTC_BOOTSTRAP=1 RUSTFLAGS='$(2)' CARGO_PROFILE_DEV_DEBUG=line-tables-only $(CARGO) rustc --quiet --locked --lib \
    --crate-type staticlib --target $(TRIPLE) --target-dir target/sanitizers \
    -- --print=native-static-libs=$(CURDIR)/target/$(1)/native-static-libs
@ln -f target/sanitizers/$(TRIPLE)/debug/libmlflow_ai_gateway.a target/$(1)/
endef

# Run each saved fuzzing input once, with AddressSanitizer and LeakSanitizer.
test-fuzz:
	@sh fuzz/run 0

# make test sends 20 prompts.
test-real-queues: test-tools library
	REAL_PROMPTS=200 $(PYTEST) tests/test_real_queues.py

# Test another processor, and the oldest supported Rust.
test-arm64 test-s390x: | need-cc need-python
	@sh tests/cross/install $(@:test-%=%)
	@$(PYTHON) tests/gateways/install.py pytest
	@sh tests/cross/run $(@:test-%=%)

# The description of what compiled programs use.
abi: library | need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/support/abi.py write

check-abi: library | need-cc need-python
	@sh tests/install-tools
	@$(PYTHON) tests/support/abi.py check

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
	    { echo "make: $(TOOL) is not installed; see \"Install\" in README.md" >&2; exit 1; }

.PHONY: need-cargo need-cc need-python all library examples install uninstall man docs test-docs \
    deb test-packages dist dist-x86_64 dist-aarch64 gem test-gem test-dist test-cargo-c demo check check-tools test \
    test-tools test-rust test-go install-go-example test-ruby test-builds test-fuzz test-real-queues test-arm64 \
    test-s390x abi check-abi compat fuzz bench clean
