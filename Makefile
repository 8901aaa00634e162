# make demo    build and run the demonstration (ARGS="--auto --dir out")
# make test    everything that has to hold, as CI runs it
# make check   the quick part of it: format, vet, staticcheck, import graph
# make bench   measure every stage against its limit (ARGS="-rows 100000 -stage import,mails")
# make simulate  six months of a campaign in virtual time (SEED=42)
# make build   bin/bascule
# make clean   remove what make built

GO    ?= go
ARGS  ?=
SUDO   = $(if $(filter 0,$(shell id -u)),,sudo)

# Folders are no part of what is compiled: another clone finds it in the cache. Tests run
# all the same (-count=1).
export GOFLAGS := $(strip $(GOFLAGS) -trimpath)

.DEFAULT_GOAL := build
.PHONY: demo test check lint bench simulate build clean demo-tools test-tools test-packages

# Where nothing is compiled yet, compiling without inlining and debugging data
# takes half the time; the demonstration does not need more.
demo: demo-tools
	$(GO) build -gcflags='all=-l -dwarf=false' -ldflags='-s -w' -o bin/bascule-demo ./cmd/bascule
	bin/bascule-demo demo $(ARGS)

build:
	$(GO) build -buildvcs=auto -o bin/bascule ./cmd/bascule

# The race detector would follow each of the 19 MiB that a password hash takes: four
# fifths of the processor in the tests that hash; and each byte of a workbook that is
# packed or unpacked. Those two packages are left out. A package that uses sync.Map or
# an atomic value cannot be: its copy of their code serves the whole program, and the
# detector would see races where there are none.
RACE = -race -gcflags='golang.org/x/crypto/argon2=-race=false' -gcflags='compress/flate=-race=false'
# At its end each process with the detector sleeps for a second otherwise.
test: export GORACE = atexit_sleep_ms=20

# These packages start nothing and share nothing, so the detector would find nothing in
# their own tests. It watches them in the tests of those who use them.
QUIET = bascule/importer/sample bascule/internal/assistance bascule/internal/conversion \
	bascule/internal/gate bascule/internal/mail bascule/internal/report bascule/internal/workbook

# The packages that take longest start first: one alone at the end would leave a core
# idle. The others follow, each once.
LONGEST = ./internal/web ./cmd/bascule ./sql ./jobs ./importer ./internal/simulation

# A test that needs a program fails without it, so make test brings them all. lint has
# vetted the tests.
test: test-tools lint
	$(GO) test -vet=off -count=1 -timeout 20m $(QUIET)
	$(GO) test -vet=off -count=1 $(RACE) -timeout 20m $(LONGEST) $$($(GO) list ./... | grep -vxF $(addprefix -e ,$(QUIET)))
	@$(GO) test -vet=off -v -run '^TestRules$$' ./internal/gate | grep -v -e '^=== ' -e '^--- ' -e '^PASS' -e '^ok '

check: lint
	$(GO) test ./internal/gate

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on:" $$unformatted >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# It takes some minutes and wants the machine for itself: docs/performance.md.
bench: build
	$(GO) run ./cmd/bench $(ARGS)

# The run that make test has a short one of. It prints the seed that all its chance
# follows from; SEED plays one again.
SEED ?= 0
simulate: test-packages
	$(GO) test ./internal/simulation -count=1 -v -timeout 60m -long -seed $(SEED)

clean:
	rm -rf bin

# The programs that the demonstration and the tests run, and the Debian packages
# they come in. PostgreSQL and Redis are run from their programs: no server has
# to be running.
have      = $(shell for p in $(1); do command -v $$p && break; done)
POSTGRES  = $(if $(or $(call have,postgres),$(wildcard /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres)),,postgresql)
TEST_NEED = $(strip $(POSTGRES) \
	$(if $(call have,redis-server),,redis-server) \
	$(if $(call have,chromium chromium-browser google-chrome headless-shell),,chromium) \
	$(if $(call have,chromium-headless-shell),,$(HEADLESS)) \
	$(if $(call have,pdftotext),,poppler-utils) \
	$(if $(call have,qpdf),,qpdf) \
	$(if $(or $(call have,nginx),$(wildcard /usr/sbin/nginx)),,nginx-light) \
	$(if $(or $(call have,haproxy),$(wildcard /usr/sbin/haproxy)),,haproxy) \
	$(if $(or $(call have,apache2),$(wildcard /usr/sbin/apache2)),,apache2-bin) \
	$(if $(call have,pk12util),,libnss3-tools) \
	$(if $(call have,npm),,npm) \
	$(if $(call have,$(or $(CC),cc) gcc clang),,gcc libc6-dev))
# For pages alone it takes less than half of a browser; Debian has it, Ubuntu has not.
HEADLESS  = $(shell apt-cache --names-only search '^chromium-headless-shell$$' 2>/dev/null | cut -d' ' -f1)
AXE       = internal/devenv/devtest/axe

demo-tools:
	@$(call install,$(POSTGRES))

test-tools: test-packages $(AXE)/node_modules/.package-lock.json

test-packages:
	@$(call install,$(TEST_NEED))

# axe-core, by which the tests judge the pages. npm writes the target last.
$(AXE)/node_modules/.package-lock.json: $(AXE)/package.json $(AXE)/package-lock.json | test-packages
	@echo "installing: axe-core, by npm ci in $(AXE)"
	@npm ci --prefix $(AXE) --ignore-scripts --no-audit --no-fund

define install
$(if $(1),echo "missing: $(1)"; \
	command -v apt-get >/dev/null || { echo "install with this system's package manager: $(1)" >&2; exit 1; }; \
	echo "installing: $(1)"; \
	$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1),true)
endef
