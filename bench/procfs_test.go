package main

import (
	"strings"
	"testing"
	"time"
)

func TestParseResidentReadsVmRSSInBytes(t *testing.T) {
	for _, tc := range []struct {
		name, status string
		want         int64
		wantErr      string
	}{
		{name: "a running process", status: "Name:\tcaddy\nVmHWM:\t   99 kB\nVmRSS:\t   51234 kB\nThreads:\t7\n", want: 51234 * 1024},
		{name: "a zombie has no memory", status: "Name:\tcaddy\nState:\tZ (zombie)\n", wantErr: "has ended"},
		{name: "another unit is refused", status: "VmRSS:\t 5 MB\n", wantErr: "unexpected"},
		{name: "no number is refused", status: "VmRSS:\t x kB\n", wantErr: "unexpected"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseResident([]byte(tc.status))
			check(t, got, tc.want, err, tc.wantErr)
		})
	}
}

func TestParseBusyAddsUpWhatIsNotIdle(t *testing.T) {
	const stat = "cpu  1 1 1 1 1 1 1 1 0 0\n" +
		"cpu0 100 1 50 9000 300 2 3 77 0 0\n" +
		"cpu1 7 0 0 0 0 0 0 0 0 0\n" +
		"cpu2 7 0\n" +
		"cpu3 7 0 x 0 0 0 0 0\n"
	for _, tc := range []struct {
		name    string
		cpu     int
		want    time.Duration
		wantErr string
	}{
		{name: "idle, iowait and steal do not count", cpu: 0, want: 1560 * time.Millisecond},
		{name: "another CPU has its own line", cpu: 1, want: 70 * time.Millisecond},
		{name: "a short line is refused", cpu: 2, wantErr: "too short"},
		{name: "no number is refused", cpu: 3, wantErr: "invalid syntax"},
		{name: "an unknown CPU is refused", cpu: 12, wantErr: "no line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseBusy([]byte(stat), tc.cpu)
			check(t, got, tc.want, err, tc.wantErr)
		})
	}
}

func TestParseLiveAddsHeapObjectsAndStacks(t *testing.T) {
	for _, tc := range []struct {
		name, profile string
		want          int64
		wantErr       string
	}{
		{
			name:    "a profile in text form",
			profile: "heap profile: 1: 2 [3: 4] @ heap/1048576\n\n# runtime.MemStats\n# HeapAlloc = 5000\n# HeapSys = 9999\n# Stack = 700 / 800\n",
			want:    5700,
		},
		{name: "a profile without figures is refused", profile: "heap profile: 1: 2 [3: 4]\n", wantErr: "does not say"},
		{name: "no number is refused", profile: "# HeapAlloc = many\n", wantErr: "invalid syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseLive([]byte(tc.profile))
			check(t, got, tc.want, err, tc.wantErr)
		})
	}
}

// check compares a result, or the error that is wanted instead of it.
func check[T comparable](t *testing.T, got, want T, err error, wantErr string) {
	t.Helper()
	switch {
	case wantErr == "" && err != nil:
		t.Fatalf("unexpected error: %v", err)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
		t.Fatalf("error %v, want one about %q", err, wantErr)
	case wantErr == "" && got != want:
		t.Fatalf("got %v, want %v", got, want)
	}
}
