# `make run` and `make test` set up what they need. What takes more than a line is in scripts/.

.PHONY: run test check site e2e clients sdk release bench bench-proxy bench-alerts bench-scale bench-ledger bench-incidents bench-ui sqlx setup clean

run: ## the dashboard on http://127.0.0.1:3000
	@scripts/setup run
	@scripts/site dev
	cargo run -p server --bin plumbline -- serve

test: ## everything: format, lints, unit tests, browser tests, the providers' clients; some parts: make test ARGS="tests e2e"
	@scripts/test $(ARGS)

check: ## format and lints for the server's and the browser's half, licences and advisories of crates
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

sdk: ## the SDKs' tests: make sdk ARGS="readme"
	@scripts/setup test
	@scripts/sdk $(ARGS)

site: ## the browser's half as users download it, into target/site
	@scripts/setup release
	@scripts/site release

release: site ## one self-contained file: target/release/plumbline
	cargo build --release -p server --bin plumbline

bench: release ## the programs that print the README's tables
	@scripts/bench $(ARGS)

bench-proxy: release ## what the proxy adds to a call, beside other gateways where they are installed
	@scripts/bench bench-proxy

bench-alerts: release ## what alerts cost ingest, how soon messages come, and what a storm becomes; ARGS="--only storm" is a part
	@scripts/bench bench-alerts -- $(ARGS)

bench-scale: release ## ten million steps: pages, disk, ingest beside retention; half an hour and 15 GB, ARGS="--steps 1000000 --expire 100000" is less
	@scripts/bench bench-scale -- $(ARGS)

bench-ledger: ## how true the ledger is: usage objects by provider and shape, prices compared, false alarms of each rule
	cargo run --release -p engine --example ledger_bench

bench-incidents: ## how well incidents are found and attributed, beside simpler rules: ten minutes
	cargo run --release -p bench_incidents --bin bench-incidents -- $(ARGS)

bench-ui: release ## what pages cost a browser: Lighthouse, long runs, charts; bars in end2end/bench, one of them: make bench-ui ARGS="charts"
	@scripts/setup test
	@scripts/bench-ui $(ARGS)

sqlx: ## refresh .sqlx after changing a query or a migration
	@scripts/sqlx

setup: ## everything that any of the above needs
	@scripts/setup test

clean:
	cargo clean
