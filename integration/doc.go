// Package integration tests the gateway inside a whole Caddy.
package integration
