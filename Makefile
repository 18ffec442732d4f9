# `make run` and `make test` set up what they need. What takes more than a line is in scripts/.

.PHONY: run test check site e2e clients release bench bench-proxy sqlx setup clean

run: ## the dashboard on http://127.0.0.1:3000
	@scripts/setup run
	@scripts/site dev
	cargo run -p server --bin plumbline -- serve

# The server as `cargo test` builds it for its own tests. `cargo build -p server` would compile the pages and the server
# a second time, because tests of other crates turn on features of shared libraries; the same goes for browser_bindings.
tested = $(abspath $(or $(CARGO_TARGET_DIR),target))/debug/plumbline

test: ## everything: format, lints, unit tests, browser tests, the providers' clients
	@scripts/setup test
	@scripts/check
	@scripts/site dev
	cargo test --workspace --exclude browser_bindings
	cargo test -p browser_bindings
	@PLUMBLINE_BIN=$(tested) scripts/e2e
	@PLUMBLINE_BIN=$(tested) scripts/clients

check: ## format and lints, for the server's and the browser's half
	@scripts/setup run
	@scripts/check

e2e: ## the browser tests; arguments for Playwright: make e2e ARGS="smoke"
	@scripts/setup test
	@scripts/site dev
	@scripts/e2e $(ARGS)

clients: ## the providers' own clients through the proxy: make clients ARGS="snippets"
	@scripts/setup test
	@scripts/site dev
	@scripts/clients $(ARGS)

site: ## the browser's half as users download it, into target/site
	@scripts/setup release
	@scripts/site release

release: site ## one self-contained file: target/release/plumbline
	cargo build --release -p server --bin plumbline

bench: release ## the programs that print the README's tables
	@scripts/bench $(ARGS)

bench-proxy: release ## what the proxy adds to a call, beside other gateways where they are installed
	@scripts/bench bench-proxy

sqlx: ## refresh .sqlx after changing a query or a migration
	@scripts/sqlx

setup: ## everything that any of the above needs
	@scripts/setup test

clean:
	cargo clean
