# Everything a change must pass is `make check`. It needs Go, git, make, bash and a C compiler; without node and npm less is
# tested.

GO ?= go
LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 20s
KILLS ?= 200
SOAK ?= 1h

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Without debug information, a fifth of the binary; stack traces and profiles do not need it.
.PHONY: build
build: ## Build bin/carillon
	$(GO) build -trimpath -ldflags=-w -o bin/carillon ./cmd/carillon

.PHONY: bench
bench: build ## Build bin/carillon-bench, which measures bin/carillon (docs/performance.md)
	$(GO) build -trimpath -o bin/carillon-bench ./cmd/carillon-bench

.PHONY: demo
demo: build ## Run an app with its sidecar and scheduler, and watch jobs fire
	$(GO) build -trimpath -o bin/demo ./examples/demo
	bin/carillon dev --app-id sub --app-port 6006 --data-dir .demo --log-level warn -- bin/demo

.PHONY: check
check: tidy lint test race ## Everything a change must pass

# Some packages compute and others wait for processes: three at a time keep two processors busy.
.PHONY: test
test: ## Run every test in a random order (less than five minutes on two processors)
	$(GO) test -p 3 -parallel 4 -shuffle=on -timeout 30m ./...
	$(GO) -C test/compat test -shuffle=on -timeout 30m ./...

# The tests of other packages are about programs that are built without it. With more than one processor Go 1.26's race
# detector may die in fake time (__tsan_go_start): it has one context for all timers of a bubble, and two threads that look
# at timers at once break it.
.PHONY: race
race: ## Run the tests of all packages of the program again with the race detector, which needs a C compiler (ten minutes)
	GOMAXPROCS=1 $(GO) test -race -p 3 -parallel 4 -shuffle=on -timeout 30m ./internal/... ./cmd/carillon

.PHONY: cluster
cluster: ## Run the tests that need etcd, which runs in real time, and all of test/cluster (five minutes alone, twelve at most)
	CARILLON_TEST_ETCD=1 $(GO) test -p 1 -count=1 -timeout 3m ./internal/cluster ./internal/store/etcd...
	CARILLON_TEST_ETCD=1 $(GO) test -count=1 -timeout 9m -parallel 3 -v ./test/cluster

# On one node and on three, eight loads of five minutes at most each. It needs root and a memory cgroup.
.PHONY: overload
overload: ## Give nodes in 256 MiB a million jobs, hung apps and large bodies (an hour), and print a table
	CARILLON_TEST_OVERLOAD=1 $(GO) test -count=1 -timeout 90m -v -run '^TestFull' ./test/overload

.PHONY: flood
flood: ## Flood one namespace beside another in eight ways, for three minutes, and compare what the other notices
	CARILLON_TEST_FLOOD=1 $(GO) test -count=1 -timeout 15m -v -run '^TestAFlood' ./internal/app

# A seed costs 0.15 to 0.3 s of CPU and stands for two and a half minutes, of one node and of a cluster: 2,000 take ten
# minutes or so on two cores, 100,000 a night.
SEEDS ?= 2000
SEED ?= 1

.PHONY: simulate
simulate: ## Run SEEDS (2000) worlds from SEED (1) on, in which everything goes wrong
	$(GO) test ./internal/simulate -v -run 'KeepTheirPromises$$' -count=1 -timeout 24h -args -seeds $(SEEDS) -seed $(SEED)

.PHONY: lint
lint: ## Look for mistakes and unusual ways (the first run builds the linter: some minutes)
	$(LINT) run
	cd test/compat && $(LINT) run
	cd examples/go && $(LINT) run
	cd proto/generate && $(LINT) run
	$(GENERATE) -check

.PHONY: fmt
fmt: ## Format the code
	$(LINT) fmt

.PHONY: tidy
tidy: ## Fail if go.mod and go.sum are not as go mod tidy would leave them
	$(GO) mod tidy -diff
	$(GO) -C test/compat mod tidy -diff
	$(GO) -C examples/go mod tidy -diff
	$(GO) -C proto/generate mod tidy -diff

# proto/generate pins the compiler and the plugins.
GENERATE = GOBIN=$(CURDIR)/bin $(GO) -C proto/generate install tool && \
	$(GO) -C proto/generate run . -root ../.. -plugins ../../bin

.PHONY: proto
proto: ## Generate internal/bulkv1, internal/managementv1 and internal/peerv1 from proto
	$(GENERATE)

# The first run builds buf, which takes some minutes. It reads compiled definitions, so it needs no network.
BUF = $(GO) run github.com/bufbuild/buf/cmd/buf@v1.75.0
OLD ?= main

.PHONY: buf
buf: ## Look for mistakes in proto, and for changes since OLD (main) that break clients
	$(GENERATE) -image bin/new.binpb -check
	! $(BUF) lint bin/new.binpb --config proto/buf.yaml | grep ^carillon/
	rm -rf bin/old && mkdir -p bin/old && git archive $(OLD) proto | tar -x -C bin/old
	$(GENERATE) -root ../../bin/old -image ../../bin/old.binpb -compile
	$(BUF) breaking bin/new.binpb --against bin/old.binpb --config proto/buf.yaml

.PHONY: vulncheck
vulncheck: ## Look for known holes in what is called (asks vuln.go.dev, or bin/vulndb if that is there)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 $(if $(wildcard bin/vulndb),-db file://$(CURDIR)/bin/vulndb) ./...

# The database is in a Go module, too, which may be some days behind. It takes some minutes.
.PHONY: vulndb
vulndb: ## Make bin/vulndb, for make vulncheck where vuln.go.dev cannot be reached
	rm -rf bin/vulndb
	$(GO) run golang.org/x/vulndb/cmd/indexdb@latest -out bin/vulndb -vulns \
		"$$($(GO) mod download -json golang.org/x/vulndb@latest | sed -n 's/^.*"Dir": "\(.*\)".*$$/\1/p')/data/osv"

.PHONY: sbom
sbom: build ## Write bin/carillon.cdx.json, the bill of materials of bin/carillon
	$(GO) run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json \
		-version "$$(git describe --always --dirty)" -output bin/carillon.cdx.json bin/carillon

# The copies are of what is committed. It takes some minutes: nothing is taken from the build cache.
.PHONY: reproduce
reproduce: ## Build carillon twice, in two folders and with two empty caches, and compare
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && commit=$$(git rev-parse HEAD) && for copy in one another/one; do \
		mkdir -p "$$dir/$$copy" && git archive "$$commit" | tar -x -C "$$dir/$$copy" && \
		(cd "$$dir/$$copy" && GOCACHE="$$dir/cache-$$(basename $$(dirname $$copy))" $(GO) build -trimpath -ldflags=-w -buildvcs=false -o carillon ./cmd/carillon) || exit 1; \
	done; cmp "$$dir/one/carillon" "$$dir/another/one/carillon" && echo "both builds are the same: $$(sha256sum < "$$dir/one/carillon")"

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (20s)
	@$(GO) list ./... | while read -r pkg; do \
		for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done; \
	done

.PHONY: crash
crash: ## Kill a node KILLS times (200), damage and fill its disk (some minutes)
	CARILLON_TEST_KILLS=$(KILLS) CARILLON_TEST_FLIPS=$(KILLS) $(GO) test -count=1 -v -timeout 2h ./test/crash
	CARILLON_TEST_DAMAGED_STORES=$(KILLS) CARILLON_TEST_DAMAGES=8 $(GO) test -count=1 -v -timeout 2h -run TestADamaged ./internal/store/pebblestore

# Each package takes from some minutes to hours: its tests run once each, and then for each mutant those that reach it.
PKG ?= ./internal/engine ./internal/dispatch ./internal/cluster ./internal/forward ./internal/store/...
SAMPLE ?= 60

.PHONY: mutate
mutate: ## Make SAMPLE (60) small mistakes in each package of PKG, and list those that no test notices
	nice $(GO) run ./test/mutate -sample $(SAMPLE) -seed $(SEED) $(PKG)

.PHONY: soak
soak: ## Keep a node at work for SOAK (1h) and hold what it takes
	CARILLON_TEST_SOAK=$(SOAK) $(GO) test -count=1 -v -timeout 0 -run TestSoak ./test/crash

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf bin .demo
