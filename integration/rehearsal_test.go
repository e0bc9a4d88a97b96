package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// rehearsalInstant makes a simulated provider answer as fast as it is read.
const rehearsalInstant = "latency 0\ntokens_per_second 1000000000\n"

// rehearsalAttempts are the ledger's rows of a request, in order.
func (c *gwCaddy) rehearsalAttempts(a gwAnswer, n int) []gjson.Result {
	c.t.Helper()
	id := a.header.Get("X-Request-Id")
	return c.log.waitN(c.t, n, func(l gjson.Result) bool {
		return l.Get("logger").Str == "http.llm_gateway.ledgers.log" && l.Get("request_id").Str == id
	})
}

// TestASimulatedFaultOfAnyClassIsRepairedAndInTheLedger has a provider of its own for each request, so that health does
// not carry over.
func TestASimulatedFaultOfAnyClassIsRepairedAndInTheLedger(t *testing.T) {
	type asked struct {
		d      *gwClient
		stream bool
	}
	var all []asked
	for _, d := range gwAllClients {
		all = append(all, asked{d, false}, asked{d, true})
	}
	for fault, class := range map[string]string{
		"fail connect": "connect", "fail tls": "tls", "fail timeout": "timeout", "fail rate_limit": "rate_limit",
		"fail rate_limit retry_after 2s": "rate_limit", "fail overloaded": "overloaded", "fail server_error": "server_error", "fail auth": "auth",
		"fail billing": "billing", "fail context_length": "context_length", "fail content_filter": "content_filter", "fail not_found": "not_found",
		"cut": "server_error", "stall": "timeout", "down": "connect", "down overloaded": "overloaded",
	} {
		t.Run(fault, func(t *testing.T) {
			var options strings.Builder
			fmt.Fprintf(&options, "provider steady simulated {\n%s}\nledger log\nfirst_token_timeout 100ms\n", rehearsalInstant)
			options.WriteString("retry_on connect timeout rate_limit overloaded server_error context_length content_filter auth billing not_found\n")
			for i := range all {
				fmt.Fprintf(&options, "provider shaky%d simulated {\n%s%s\n}\nmodel m%d shaky%d/up steady/up\n", i, rehearsalInstant, fault, i, i)
			}
			c := gwStart(t, gwSite(options.String()))
			for i, r := range all {
				if class == "timeout" && !r.stream {
					continue // only the time for the whole request would end it, and leave none for another target
				}
				a := r.d.send(c, fmt.Sprintf("m%d", i), r.stream)
				if a.status != 200 || a.err != nil || a.header.Get("X-Llm-Gateway-Target") != "steady/up" || !strings.Contains(a.body, "simulated") {
					t.Fatalf("%s: %d %v %s", r.d.name, a.status, a.header, gwClip(a.body, 500))
				}
				rows := c.rehearsalAttempts(a, 2)
				if got := rows[0].Get("error_class").Str + " at " + rows[0].Get("provider").Str; got != fmt.Sprintf("%s at shaky%d", class, i) || len(rows) != 2 {
					t.Errorf("%s stream=%v: %s, %d rows", r.d.name, r.stream, got, len(rows))
				}
				if rows[1].Get("error_class").Str != "" || rows[1].Get("provider").Str != "steady" {
					t.Errorf("%s: the second attempt was %s", r.d.name, rows[1].Raw)
				}
			}
		})
	}
}

func TestClientsDoNotSeeTheFaultsOfOneOfTwoProviders(t *testing.T) {
	c := gwStart(t, gwSite("provider shaky simulated {\n"+rehearsalInstant+`
			fail 10% overloaded
			fail 5% connect
			fail 5% server_error
			fail 5% rate_limit
			cut 5%
			seed 42
		}
		provider steady simulated {
			`+rehearsalInstant+`
		}
		model m shaky/up steady/up
		max_fails 1000
		fail_duration 1s
		ledger log`))
	classes := map[string]bool{}
	for i := range 200 {
		d := gwAllClients[i%len(gwAllClients)]
		stream := i/len(gwAllClients)%2 == 0
		a := d.send(c, "m", stream)
		if a.status != 200 || a.err != nil || stream && !strings.Contains(a.body, d.terminal) {
			t.Fatalf("%s: %d %v %s", d.name, a.status, a.err, gwClip(a.body, 500))
		}
		n, err := strconv.Atoi(a.header.Get("X-Llm-Gateway-Attempts"))
		if err != nil {
			t.Fatal(err)
		}
		rows := c.rehearsalAttempts(a, n)
		if last := rows[len(rows)-1]; last.Get("error_class").Str != "" {
			t.Errorf("the last attempt was %s", last.Raw)
		}
		for _, row := range rows[:len(rows)-1] {
			classes[row.Get("error_class").Str] = true
		}
	}
	for _, class := range []string{"overloaded", "connect", "server_error", "rate_limit"} {
		if !classes[class] {
			t.Errorf("%s never happened: %v", class, classes)
		}
		if n := c.metric("caddy_llm_gateway_attempts_total", `provider="shaky"`, `outcome="`+class+`"`); n < 1 {
			t.Errorf("%v attempts with the outcome %s", n, class)
		}
	}
}

func TestASimulatedStreamThatBreaksAfterItsFirstContentEndsInAnError(t *testing.T) {
	for _, fault := range []string{"cut after 3", "fail overloaded after 3", "stall after 3"} {
		t.Run(fault, func(t *testing.T) {
			c := gwStart(t, gwSite("provider shaky simulated {\n"+rehearsalInstant+fault+"\n}\nidle_timeout 100ms\nmodel m shaky/up\nmax_fails 1000"))
			for _, d := range gwAllClients {
				a := d.send(c, "m", true)
				if a.status != 200 || a.err != nil {
					t.Fatalf("%s: %d %v", d.name, a.status, a.err)
				}
				d.brokenStream(t, a.body)
				if words := strings.Fields(gwStreamText(d, a.body)); !slices.Equal(words, []string{"This", "is", "a"}) {
					t.Errorf("%s: %q came before", d.name, words)
				}
			}
		})
	}
}
