.PHONY: build run test race lint fuzz bench ci clean

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

ci:
	.ci/run

clean:
	rm -f caddy
