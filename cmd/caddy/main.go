// Command caddy is a stock Caddy with the LLM gateway in it, for `go run` and development. Releases are built with
// xcaddy.
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-llm/llmgateway"
)

func main() {
	caddycmd.Main()
}
