package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRequestBodiesAreRealistic(t *testing.T) {
	for _, tc := range []struct {
		scenario
		model    string
		min, max int // bytes
	}{
		{scenario{name: "small"}, sameModel, 190, 210},
		{scenario{name: "small translated", translated: true}, translatedModel, 190, 210},
		{scenario{name: "small stream", kind: streams}, sameModel, 190, 210},
		{scenario{name: "large", large: true}, sameModel, 98 << 10, 102 << 10},
		{scenario{name: "large translated", large: true, translated: true}, translatedModel, 98 << 10, 102 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := requestBody(tc.scenario)
			if len(body) < tc.min || len(body) > tc.max {
				t.Errorf("%d bytes, want %d to %d", len(body), tc.min, tc.max)
			}
			if !utf8.Valid(body) {
				t.Error("the body is not UTF-8")
			}
			var r chatRequest
			if err := json.Unmarshal(body, &r); err != nil {
				t.Fatal(err)
			}
			if r.Model != tc.model {
				t.Errorf("model %q, want %q", r.Model, tc.model)
			}
			if wantStream := tc.kind != unary; r.Stream != wantStream || hasFlag(body, "stream") != wantStream {
				t.Errorf("stream %v, found %v, want %v", r.Stream, hasFlag(body, "stream"), wantStream)
			}
			if tc.large && (len(r.Messages) < 35 || len(r.Messages) > 70 || len(r.Tools) != 5) {
				t.Errorf("%d messages and %d tools, want about 40 and 5", len(r.Messages), len(r.Tools))
			}
			checkToolCalls(t, r.Messages)
			if string(body) != string(requestBody(tc.scenario)) {
				t.Error("the body differs from run to run")
			}
		})
	}
}

// checkToolCalls makes sure that every tool call is answered by the next message, as providers demand.
func checkToolCalls(t *testing.T, msgs []message) {
	t.Helper()
	for i, m := range msgs {
		if m.Content == "" && m.ToolCalls == nil {
			t.Errorf("message %d is empty", i)
		}
		for _, call := range m.ToolCalls {
			if !json.Valid([]byte(call.Function.Arguments)) {
				t.Errorf("message %d: the arguments are no JSON: %s", i, call.Function.Arguments)
			}
			if i+1 == len(msgs) || msgs[i+1].ToolCallID != call.ID {
				t.Errorf("message %d: call %s is not answered", i, call.ID)
			}
		}
	}
}

func TestEveryCannedAnswerIsValid(t *testing.T) {
	for name, a := range map[string]*answers{"chat": &chatAnswers, "messages": &messagesAnswers} {
		if !json.Valid(a.unary) {
			t.Errorf("%s: the unary answer is no JSON", name)
		}
		events := append(append([][]byte{}, a.head...), a.deltas...)
		for _, event := range append(events, a.tail(5, true)...) {
			_, data, found := strings.Cut(string(event), "data: ")
			if !found || !strings.HasSuffix(data, "\n\n") {
				t.Errorf("%s: %q is no event", name, event)
			}
			if data != "[DONE]\n\n" && !json.Valid([]byte(data)) {
				t.Errorf("%s: %q is no JSON", name, data)
			}
		}
	}
}

func TestSelectScenariosKeepsWhatMatches(t *testing.T) {
	for _, tc := range []struct {
		only string
		want int
	}{{"", 9}, {"100 KB", 2}, {"@16", 4}, {"idle", 1}, {"nothing", 0}} {
		var only *regexp.Regexp
		if tc.only != "" {
			only = regexp.MustCompile(tc.only)
		}
		var got int
		for _, set := range selectScenarios(scenarioSets(), only) {
			got += len(set)
		}
		if got != tc.want {
			t.Errorf("%q selects %d scenarios, want %d", tc.only, got, tc.want)
		}
	}
}

func TestCaddyfilesDifferInTheDirectiveOnly(t *testing.T) {
	render := func(id laneID) string {
		return caddyfile(&lane{id: id, admin: "127.0.0.1:2"}, 1, "127.0.0.1:3", "models_only\nstrict")
	}
	head, _, found := strings.Cut(render(reverseProxy), "\treverse_proxy 127.0.0.1:3\n}\n")
	if !found {
		t.Fatalf("unexpected Caddyfile:\n%s", render(reverseProxy))
	}
	for _, id := range []laneID{gatewayQuiet, gatewayFull} {
		text := render(id)
		if !strings.HasPrefix(text, head+"\tllm_gateway {\n") {
			t.Errorf("%s starts otherwise:\n%s", id, text)
		}
		if !strings.Contains(text, "\t\tmodels_only\n\t\tstrict\n\t}\n}\n") {
			t.Errorf("%s lacks the added options:\n%s", id, text)
		}
		if quiet := strings.Contains(text, "usage_log off") && strings.Contains(text, "metrics off"); quiet != (id == gatewayQuiet) {
			t.Errorf("%s: quiet is %v:\n%s", id, quiet, text)
		}
	}
}
