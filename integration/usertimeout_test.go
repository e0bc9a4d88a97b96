package integration

import (
	"strings"
	"testing"
)

// TestConnectionsOfCaddyGetTheTimeout checks that the wrapper is given sockets and not something that hides them.
func TestConnectionsOfCaddyGetTheTimeout(t *testing.T) {
	c := gwStart(t, gwSite("provider simulated"))
	if a := c.post(gwChat.path, gwChat.request("simulated/x", false, "hi")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if log := c.log.text(); strings.Contains(log, "TCP_USER_TIMEOUT was not set") {
		t.Error(log)
	}
}
