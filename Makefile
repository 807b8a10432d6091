# Everything people and CI do here. `make` alone prints this list.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
BIN := $(CARGO_TARGET_DIR)/debug
UI_STAMP := ui/node_modules/.package-lock.json
UI_SOURCES := $(shell find ui -type d \( -name node_modules -o -name dist -o -name test-results \) -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## Print this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- What a fresh Debian machine needs -------------------------------------------------------------------------------

.PHONY: packages test-packages
packages:
	@packaging/build/debian-packages.sh build
test-packages:
	@packaging/build/debian-packages.sh test

$(UI_STAMP): ui/package-lock.json
	cd ui && npm ci --no-audit --no-fund

ui/dist/index.html: $(UI_STAMP) $(UI_SOURCES)
	cd ui && npm run --silent build

OIDC_STAMP := tests/oidc/node_modules/.package-lock.json
$(OIDC_STAMP): tests/oidc/package-lock.json
	cd tests/oidc && npm ci --no-audit --no-fund

# ---- Using it --------------------------------------------------------------------------------------------------------

.PHONY: build
build: packages ui/dist/index.html ## Build both programs, the simulator and the pages
	cargo build --locked --workspace --bins

.PHONY: demo
demo: build ## Eight simulated cameras on two sites, agents, coordinator; until Ctrl-C
	@$(BIN)/demo

.PHONY: demo-check
demo-check: build ## The same without a person: fetch and decode video of every camera, then stop
	@$(BIN)/demo --check

# ---- Working on it ---------------------------------------------------------------------------------------------------

.PHONY: check
check: test-packages $(UI_STAMP) ## Formatting, lints, types, documentation, licences
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo deny --log-level error check licenses bans sources; \
	else echo "SKIPPED: cargo-deny is not installed (cargo install cargo-deny); licences are still checked by a test"; fi
	cd ui && npm run --silent check

.PHONY: fix
fix: $(UI_STAMP) ## Format and mend what a machine can mend
	cargo fmt --all
	cargo clippy --locked --workspace --all-targets --fix --allow-dirty --allow-staged
	cd ui && npm run --silent fix

.PHONY: test
test: check build $(OIDC_STAMP) ## Everything that must pass; what CI runs
	cargo test --locked --workspace
	cd ui && npm test
	@$(MAKE) api-check
	@$(MAKE) e2e
	@$(MAKE) demo-check

# Beside what Cargo builds, and made anew when a version changes.
ST_STAMP := $(CARGO_TARGET_DIR)/schemathesis/requirements.txt
$(ST_STAMP): tests/api/requirements.txt
	rm -rf $(@D)
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	cp $< $@

.PHONY: api-check
api-check: test-packages $(ST_STAMP) ## Whatever the API's description allows, for 45 s: no failure, no answer that breaks it
	cargo build --locked --quiet -p cctv-coordinator -p cctv-agent -p camera-sim --bins
	@tests/api/check.sh $(BIN) $(CARGO_TARGET_DIR)/schemathesis/bin/st

.PHONY: test-oidc
test-oidc: packages $(OIDC_STAMP) ## Sign-ins and tokens of a real identity provider
	cargo test --locked -p cctv-coordinator --test it oidc::

.PHONY: e2e
e2e: test-packages build $(OIDC_STAMP) ## The pages in Chromium against real programs
	@$(BIN)/demo --browser-tests

.PHONY: soak
soak: test-packages build ## The long forms of the promises: real time, 200 kills, ten minutes without a link
	CCTV_SOAK=1 cargo test --locked -p cctv-tests --test promises -- --test-threads 1 --nocapture

.PHONY: bench
bench: test-packages ## The table of measurements, beside ffmpeg and plain TLS
	cargo build --locked --release --workspace --bins
	@$(CARGO_TARGET_DIR)/release/bench

.PHONY: openapi
openapi: packages $(UI_STAMP) ## Regenerate the API document, the reference of errors and the types of the pages
	cargo run --locked --quiet -p cctv-coordinator -- openapi > coordinator/openapi.json.new
	mv coordinator/openapi.json.new coordinator/openapi.json
	cargo run --locked --quiet -p cctv-coordinator -- errors > docs/errors.md.new
	mv docs/errors.md.new docs/errors.md
	cd ui && npm run --silent api

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZ_SECONDS (30) each
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
	@for target in $$(cd fuzz && cargo fuzz list); do \
		echo "== $$target"; \
		(cd fuzz && mkdir -p corpus/$$target && RUSTC_BOOTSTRAP=1 cargo fuzz run $$target corpus/$$target seeds/$$target -- -max_total_time=$${FUZZ_SECONDS:-30} -max_len=65536 -rss_limit_mb=2048); \
	done
