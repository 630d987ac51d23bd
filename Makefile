# make help lists the targets.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# nomsgpack leaves out a codec that Gin would link in; half of the binary's size.
TAGS := nomsgpack
# Which mutants are tried (a text in the name or file; all), how long each fuzz target runs, how many random histories the soak plays on each store, how many people answer under load, how many runs a benchmark gets,
# how many busy loops the tests run beside, and how often Redis is killed and hangs. For bench: SHORT=1 is fewer rounds, BASE the revision that is "before", ONLY some chapters
# (webhooks,poison,record,replicas,embedded,memory,survey,sessions,growth), HISTORY a file that gets a line of JSON.
MUTANTS ?=
FUZZTIME ?= 10m
HISTORIES ?= 100000
CHECKS ?= 2000
SUBMISSIONS ?= 10000
COUNT ?= 1
LOAD ?= 8
FAULTS ?= 8
SHORT ?=
BASE ?=
ONLY ?=
HISTORY ?=

.DEFAULT_GOAL := help
.PHONY: help run build deps test test-loaded lint mutants soak load chaos fuzz bench microbench dashboards

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | while IFS='|' read -r name what; do printf '  make %-11s %s\n' "$$name" "$$what"; done

run: ## start the service on ./jauge.yaml, or on the example programme, with the embedded store
	@go build -tags $(TAGS) -o bin/jauge ./cmd/jauge && exec ./bin/jauge serve

build: ## build bin/jauge, one static binary
	CGO_ENABLED=0 go build -trimpath -tags $(TAGS),timetzdata -ldflags '-s -w -X main.version=$(VERSION)' -o bin/jauge ./cmd/jauge

deps: ## install what the tests run (redis-server, promtool, chromium), or name the packages
	@./tools/deps.sh

# Three modules are tested; that of the browsers beside the others: browsers wait more than they compute. Only at the end is a failure one. The time-outs are for a
# machine that has much else to do: a test that hangs is still found, and named, by them.
test: deps ## run every test, with the race detector; under five minutes on two cores
	@failed=; browsers=$$(mktemp); trap 'rm -f $$browsers' EXIT; trap 'kill $$!; exit 1' INT TERM; \
	(cd e2e && go test -tags $(TAGS) -timeout 45m ./...) >$$browsers 2>&1 & \
	echo "go test -race -tags $(TAGS) -timeout 45m ./..."; go test -race -tags $(TAGS) -timeout 45m ./... || failed="$$failed unit"; \
	echo "cd bench && go test -tags $(TAGS) ./..."; (cd bench && go test -tags $(TAGS) ./...) || failed="$$failed bench"; \
	echo "cd e2e && go test -tags $(TAGS) -timeout 45m ./..."; wait $$! || failed="$$failed e2e"; cat $$browsers; \
	if [ -n "$$failed" ]; then echo "Tests failed:$$failed" >&2; exit 1; fi

test-loaded: ## run every test beside LOAD busy loops (8), as on a machine that has much else to do
	@loops=; trap 'kill $$loops' EXIT; trap 'exit 1' INT TERM; \
	for i in $$(seq $(LOAD)); do while :; do :; done & loops="$$loops $$!"; done; \
	$(MAKE) test

lint: ## check the format, vet, and run the pinned golangci-lint (its first build takes a minute)
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	go vet -tags $(TAGS) ./...
	cd e2e && go vet -tags $(TAGS) ./...
	cd bench && go vet -tags $(TAGS) ./...
	go tool -modfile=tools/lint/go.mod golangci-lint run --build-tags $(TAGS)

mutants: deps ## try changes of the heart that some test has to notice, MUTANTS alone (all); an hour at most
	cd tools/mutants && go vet ./... && go test ./...
	go run -C tools/mutants . -only '$(MUTANTS)'

soak: deps ## play HISTORIES random histories (100000), and CHECKS of answers (2000), on both stores; half an hour on two cores
	go test -tags $(TAGS) -timeout 6h -v -run RandomHistories ./attendance -histories $(HISTORIES)
	go test -tags $(TAGS) -timeout 6h -run 'TalliesAre|ReadingsDiffer|RandomHistories' ./feedback -rapid.checks $(CHECKS)

load: deps ## let SUBMISSIONS people answer at once (10000), on redis-server; a fifth of them on the embedded store
	go test -tags $(TAGS) -v -run AnswersUnderLoad ./cmd/jauge -submissions $(SUBMISSIONS)

chaos: deps ## kill Redis FAULTS times (8), and let it hang as often, while two replicas take webhooks; a minute and a half
	go test -tags $(TAGS) -count 1 -timeout 30m -v -run FaultsOfRedis ./cmd/jauge -faults $(FAULTS) -frozen 2.5s

fuzz: ## run each fuzz target for FUZZTIME (10m)
	@set -e; targets=$$(grep -rnoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | grep -v '^./e2e/' | sed -E 's|^(.*)/[^/]+:[0-9]+:func (Fuzz.*)|\1 \2|'); \
	echo "$$(echo "$$targets" | wc -l) fuzz targets, $(FUZZTIME) each, one after the other:"; echo "$$targets"; \
	echo "$$targets" | while read -r package target; do \
		go test -tags $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$package"; \
	done

bench: ## measure jauge side by side with others in one run, SHORT=1 in under two minutes (15 at most)
	@cd bench && go run -tags $(TAGS) . $(if $(SHORT),-short) $(if $(BASE),-base $(BASE)) $(if $(ONLY),-only $(ONLY)) $(if $(HISTORY),-history $(abspath $(HISTORY)))

microbench: deps ## run the benchmarks of single functions, COUNT times each (1)
	go test -tags $(TAGS) -timeout 1h -run '^$$' -bench . -benchmem -count $(COUNT) ./...

dashboards: ## write the JSON of the Grafana dashboards anew
	go generate ./dashboards
