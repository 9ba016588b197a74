# install, installcheck and uninstall act on the PostgreSQL of PG_CONFIG, by default the first on the path.
# demo and test bring their own server, by default Debian's PostgreSQL 15, and install what they need (.ci/setup).
ifdef PG_CONFIG
OWN_PG_CONFIG := $(PG_CONFIG)
else
PG_CONFIG := pg_config
OWN_PG_CONFIG := /usr/lib/postgresql/15/bin/pg_config
endif

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## five scenes on a private server: what the extension is for; KEEP=1 leaves it up, and psql on it
	@.ci/setup build $(OWN_PG_CONFIG)
	@.ci/install $(OWN_PG_CONFIG)
	@PG_CONFIG=$(OWN_PG_CONFIG) tests/cluster examples/demo/run

test: ## run all tests on a private server
	@.ci/setup test $(OWN_PG_CONFIG)
	@.ci/install $(OWN_PG_CONFIG)
	@PG_CONFIG=$(OWN_PG_CONFIG) tests/run

soak: ## run the reliability tests for MINUTES=…, by default 60
	@.ci/setup test $(OWN_PG_CONFIG)
	@.ci/install $(OWN_PG_CONFIG)
	@PG_CONFIG=$(OWN_PG_CONFIG) SOAK_MINUTES=$(or $(MINUTES),60) tests/run reliability

matrix: ## build and test with PostgreSQL VERSIONS="…", by default 17 and 18, each in a Debian system of its own (root)
	@.ci/setup test
	@.ci/install /usr/lib/postgresql/15/bin/pg_config
	@.ci/matrix $(VERSIONS)

cassert: ## run part of the tests on a PostgreSQL that checks itself (assertions), built from Debian's source
	@.ci/setup test
	@.ci/debug cassert

valgrind: ## run part of the tests on that PostgreSQL under valgrind
	@.ci/setup test
	@.ci/debug valgrind

bench: ## measure, beside what people use today, and write docs/benchmarks.md
	@.ci/setup test $(OWN_PG_CONFIG)
	@.ci/install $(OWN_PG_CONFIG)
	@PG_CONFIG=$(OWN_PG_CONFIG) benches/run

bench-check: ## fail where instructions, WAL or bytes have grown by more than 5 %
	@.ci/setup test $(OWN_PG_CONFIG)
	@.ci/install $(OWN_PG_CONFIG)
	@PG_CONFIG=$(OWN_PG_CONFIG) benches/run --check

sql: ## write the install script of this version, after a change of SQL or of a function's arguments
	@PG_CONFIG=$(OWN_PG_CONFIG) .ci/sql

all: ## build for the PostgreSQL of PG_CONFIG=…
	@.ci/install --build-only $(PG_CONFIG)

install: ## build, and install into the PostgreSQL of PG_CONFIG=…
	@.ci/install $(PG_CONFIG)

installcheck: ## run the SQL and isolation tests on a running server (PGHOST, PGPORT, PGUSER) that has the extension
	@PG_CONFIG=$(PG_CONFIG) tests/regress sql
	@PG_CONFIG=$(PG_CONFIG) tests/regress isolation

deb: ## make a Debian package for the PostgreSQL of PG_CONFIG=…
	@.ci/deb $(PG_CONFIG)

dist: ## make the distribution for PGXN
	@.ci/dist

uninstall: ## remove the extension's files from the PostgreSQL of PG_CONFIG=…
	@.ci/uninstall $(PG_CONFIG)

fmt: ## format the Rust code
	cargo fmt

lint: ## check format, clippy, shell scripts, and the licences and sources of all dependencies
	@tests/run lint
	@.ci/lint

clean: ## remove everything that was built
	cargo clean
	rm -rf target

.PHONY: help all demo test soak matrix cassert valgrind bench bench-check install installcheck sql deb dist uninstall fmt lint clean
