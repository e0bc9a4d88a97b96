// Package sdk holds tests only: in them the vendors' own Go clients talk to the built gateway, and the gateway to
// providers that the tests play. It is a module of its own, so that the clients are no dependencies of the plugin.
package sdk
