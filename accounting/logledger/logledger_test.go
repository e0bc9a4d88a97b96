package logledger

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

// logTo returns a provisioned ledger that writes JSON lines to w.
func logTo(t *testing.T, w *bytes.Buffer, level string) *Ledger {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	l := &Ledger{Level: level}
	if err := l.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg", LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeDuration: zapcore.SecondsDurationEncoder})
	l.logger = zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), zapcore.InfoLevel))
	return l
}

func TestTheLogLedgerKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, ledgertest.Options{
		New: func(t *testing.T) accounting.Ledger { return logTo(t, new(bytes.Buffer), "") },
	})
}

func TestEachEntryIsOneLineWithAllItsFields(t *testing.T) {
	var out bytes.Buffer
	if err := logTo(t, &out, "").Record(t.Context(), []accounting.Entry{ledgertest.Entry(1), ledgertest.Entry(2)}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2:\n%s", len(lines), out.String())
	}
	d := json.NewDecoder(strings.NewReader(lines[0]))
	d.UseNumber()
	var line map[string]any
	if err := d.Decode(&line); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"msg": "attempt", "level": "info",
		"attempt_id": "0198c0de-0000-7000-8000-000000000001", "request_id": "request 1", "attempt": json.Number("2"),
		"time": "2026-01-02T03:04:06Z", "key": "key 1", "user": "user 1", "team": "team 1",
		"provider": "provider 1", "dialect": "chat", "model": "model 1", "upstream_model": "upstream 1",
		"answered_model": "answered 1", "provider_request_id": "provider request 1",
		"input_tokens": json.Number("9007199254740994"), "cache_read_tokens": json.Number("3"),
		"cache_write_tokens": json.Number("4"), "cache_write_1h_tokens": json.Number("5"),
		"audio_input_tokens": json.Number("6"), "output_tokens": json.Number("7"), "reasoning_tokens": json.Number("8"),
		"audio_output_tokens": json.Number("9"), "web_searches": json.Number("10"),
		"image_input_tokens": json.Number("11"), "video_input_tokens": json.Number("12"), "image_output_tokens": json.Number("15"),
		"cache_read_audio_tokens": json.Number("13"), "cache_read_image_tokens": json.Number("14"),
		"usage_invalid": true, "recovered": true, "at_risk_usd": "0.000000016", "tier": "tier 1",
		"certainty": "reported", "cost_usd": "9007199.254740994", "priced": true, "price_version": "version 1",
		"status": json.Number("201"), "error_class": "class 1", "stream": true,
		"latency": json.Number("1.001"), "time_to_first_token": json.Number("0.101"),
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
		delete(line, field)
	}
	if tags, _ := line["tags"].(map[string]any); len(tags) != 2 || tags["feature"] != "feature 1" {
		t.Errorf("tags are %v", line["tags"])
	}
	delete(line, "tags")
	if len(line) > 0 {
		t.Errorf("there are more fields: %v", line)
	}
}

func TestNothingIsWrittenAfterTheCallWasCanceled(t *testing.T) {
	var out bytes.Buffer
	l := logTo(t, &out, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Record(ctx, []accounting.Entry{ledgertest.Entry(1)}); err == nil {
		t.Error("record must report that it was canceled")
	}
	if out.Len() > 0 {
		t.Errorf("it wrote %s", out.String())
	}
}

func TestALevelBelowTheLoggersWritesNothing(t *testing.T) {
	for level, want := range map[string]bool{"DEBUG": false, "INFO": true, "warn": true} {
		var out bytes.Buffer
		if err := logTo(t, &out, level).Record(t.Context(), []accounting.Entry{ledgertest.Entry(1)}); err != nil {
			t.Fatal(err)
		}
		if got := out.Len() > 0; got != want {
			t.Errorf("at level %s it wrote a line: %v, want %v", level, got, want)
		}
	}
}

func TestCaddyfile(t *testing.T) {
	for _, c := range []struct{ text, level, fails string }{
		{"log", "", ""},
		{"log {\n}", "", ""},
		{"log {\n level debug\n}", "debug", ""},
		{"log extra", "", "wrong argument count"},
		{"log {\n level\n}", "", "wrong argument count"},
		{"log {\n level loud\n}", "", "not 'loud'"},
		{"log {\n level info\n level warn\n}", "", "already specified"},
		{"log {\n color red\n}", "", "unrecognized ledger option 'color'"},
	} {
		var l Ledger
		err := l.UnmarshalCaddyfile(caddyfile.NewTestDispenser(c.text))
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%q: error %v, want one with %q", c.text, err, c.fails)
			}
			continue
		}
		if err != nil || l.Level != c.level {
			t.Errorf("%q: level %q, error %v; want %q", c.text, l.Level, err, c.level)
		}
	}
	if err := (&Ledger{Level: "loud"}).Provision(caddy.Context{Context: t.Context()}); err == nil {
		t.Error("an unknown level in JSON must be refused")
	}
}

func TestTheModuleIsRegistered(t *testing.T) {
	m, err := caddy.GetModule("http.llm_gateway.ledgers.log")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.New().(accounting.Ledger); !ok {
		t.Errorf("%T is no ledger", m.New())
	}
}
