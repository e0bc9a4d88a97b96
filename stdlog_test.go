package llmgateway

import (
	"bytes"
	"errors"
	"log"
	"strings"
	"testing"
)

func TestWhatAProviderSendsUnaskedIsNotQuotedInTheStandardLog(t *testing.T) {
	before := log.Writer()
	defer log.SetOutput(before)
	var out bytes.Buffer
	log.SetOutput(&out)
	guardStdLog()
	guardStdLog() // once is enough
	if _, twice := log.Writer().(stdLog).Writer.(stdLog); twice {
		t.Error("the output is guarded twice")
	}
	for _, tc := range []struct{ name, quoted, want string }{
		{"a text", "secret-canary", unsolicited + "(left out); err=<nil>"},
		{"one that looks like the end of the line", "secret-canary; err=secret-canary", unsolicited + "(left out); err=<nil>"},
		{"with control characters", "secret-canary\r\n\x00", unsolicited + "(left out); err=<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out.Reset()
			log.Printf(unsolicited+"%q; err=%v", tc.quoted, error(nil))
			if got := out.String(); strings.Contains(got, "canary") || !strings.HasSuffix(got, tc.want+"\n") {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("anything else", func(t *testing.T) {
		out.Reset()
		log.Print("http: something else; err=x")
		if got := out.String(); !strings.HasSuffix(got, "http: something else; err=x\n") {
			t.Errorf("got %q", got)
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestTheGuardOfTheStandardLogReportsErrors(t *testing.T) {
	if n, err := (stdLog{brokenWriter{}}).Write([]byte(unsolicited + "\"x\"\n")); n != 0 || err == nil {
		t.Errorf("got %d, %v", n, err)
	}
}
