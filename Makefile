.PHONY: build run test race lint fuzz bench simulate faults ci clean

build:
	go build -trimpath -ldflags '-s -w' -o caddy ./cmd/caddy

run:
	go run ./cmd/caddy llm-gateway

test:
	go test ./...

race:
	go test -race -shuffle=on ./...

lint:
	.ci/run lint

fuzz:
	.ci/run fuzz

bench:
	go run ./bench

# What the balancing policies come to under scripted faults. In its own folder go test shows what a passing test prints.
simulate:
	cd balancing && go test -count=1 -run '^TestSimulation$$' -sim.table

# The fault table at full size: half an hour on a machine that does nothing else.
faults:
	LLMGATEWAY_FAULTS=full go test -count=1 -timeout 90m -run Faults ./integration -faults.table

ci:
	.ci/run

clean:
	rm -f caddy
