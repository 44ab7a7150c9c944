# Bartizan. `make help` lists what there is.

PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run top test lint deny bench bench-quick bench-peers compare-checks install uninstall wheel fuzz clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build, and watch this host and its VMs (ARGS="--json" and the like)
	cargo build --release --package bartizan
	target/release/bartizan run $(ARGS)

top: ## Build, and watch full-screen
	cargo build --release --package bartizan
	target/release/bartizan top $(ARGS)

test: ## Install what the tests need, and run all of them: Rust, C, C++, Python, real VMs
	tools/test

lint: ## Format, clippy (pedantic, warnings are errors), licences and dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	tools/deny

bench: ## Run every benchmark beside its peers; ratios in one table each
	tools/bench

bench-quick: ## The same with smaller herds and fewer rounds; peers that are not installed are left out
	tools/bench --quick

compare-checks: ## Run Lynis and other checkers beside ours on this host; every disagreement with its cause
	tools/compare-checks

bench-peers: ## Bartizan beside netdata, collectd and process-exporter on 256 and 1,000 VMs; writes docs/benchmarks
	tools/bench --peers

install: ## Install library, headers, pkg-config, CMake package, daemon, unit, man pages (PREFIX=, DESTDIR=)
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install

wheel: ## Build the Python wheel into bindings/python/dist
	tools/wheel

fuzz: ## Run one fuzz target for a while: make fuzz TARGET=qmp SECONDS_MAX=60 (needs a nightly toolchain and cargo-fuzz)
	BARTIZAN_FUZZ_TARGET=$(TARGET) cargo +nightly fuzz run fuzz --features libfuzzer -- -max_total_time=$(or $(SECONDS_MAX),60)

uninstall: ## Take away what install installed (PREFIX=, DESTDIR=)
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install --uninstall

clean: ## Remove what was built
	cargo clean
	rm -rf bindings/python/dist bindings/python/build
