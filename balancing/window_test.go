package balancing

import (
	"testing"
	"time"
)

func TestAWindowForgetsByTenths(t *testing.T) {
	var w window
	w.resize(10 * time.Second)
	for s := range 10 {
		w.add(epoch.Add(time.Duration(s)*time.Second), 1, int64(s%2))
	}
	for _, tc := range []struct {
		second int
		want   tally
	}{{9, tally{10, 5}}, {10, tally{9, 5}}, {11, tally{8, 4}}, {15, tally{4, 2}}, {18, tally{1, 1}}, {19, tally{}}, {1000, tally{}}} {
		if got := w.at(epoch.Add(time.Duration(tc.second) * time.Second)); got != tc.want {
			t.Errorf("second %d: got %+v, want %+v", tc.second, got, tc.want)
		}
	}
}

func TestAWindowOfATinySpanWorks(t *testing.T) {
	var w window
	w.resize(0)
	if got := w.add(epoch, 1, 1); got != (tally{1, 1}) {
		t.Errorf("got %+v", got)
	}
	if got := w.at(epoch.Add(time.Second)); got != (tally{}) {
		t.Errorf("got %+v a second later", got)
	}
}

// FuzzWindow compares the window to a list of everything that was ever added.
func FuzzWindow(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250, 255, 0, 7})
	f.Add([]byte{200, 200, 200, 10, 0, 0, 0, 31})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var w window
		w.resize(10 * time.Second)
		type event struct {
			bucket int64
			tally
		}
		var all []event
		var now time.Duration
		for i, op := range ops {
			now += time.Duration(op) * 37 * time.Millisecond
			add := tally{int64(op % 3), int64(op % 2)}
			all = append(all, event{int64(now / time.Second), add})
			if i == 0 {
				now, all[0].bucket = 0, 0 // the first event sets the origin
			}
			got := w.add(epoch.Add(now), add.requests, add.strikes)
			var want tally
			for _, e := range all {
				if e.bucket > int64(now/time.Second)-windowBuckets {
					want.requests += e.requests
					want.strikes += e.strikes
				}
			}
			if got != want {
				t.Fatalf("after op %d at %v: got %+v, want %+v", i, now, got, want)
			}
		}
	})
}
