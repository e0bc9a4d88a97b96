package accounting

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func priceOfX(input string) string {
	return `{"format": 1, "vendors": [{"id": "acme", "models": [{"id": "x", "prices": [{"input": ` + input + `, "output": 2}]}]}]}`
}

func TestAChangedPriceFileIsNoticedAndABrokenOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "prices.json")
		touched := time.Now()
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			touched = touched.Add(time.Minute)
			if err := os.Chtimes(path, touched, touched); err != nil {
				t.Fatal(err)
			}
		}
		write(priceOfX("1"))
		changes, errs := 0, []string{}
		l, err := NewLiveBook(mustBook(t), []string{path}, nil, func(_ *Book, err error) {
			if err != nil {
				errs = append(errs, err.Error())
				return
			}
			changes++
		})
		if err != nil {
			t.Fatal(err)
		}
		input := func() string {
			p, ok := l.Book().Lookup("acme", "x", day)
			if !ok {
				return "none"
			}
			return Money(p.Input).String()
		}
		first := l.Book()
		model, _ := first.Find("", "acme", "x") // of an attempt under way
		for _, step := range []struct {
			name, write, want string
			remove            bool
			changes, errs     int
		}{
			{name: "nothing changes", want: "1"},
			{name: "another price", write: priceOfX("3"), want: "3", changes: 1},
			{name: "the file is touched", write: priceOfX("3"), want: "3", changes: 1},
			{name: "half of a file", write: priceOfX("4")[:40], want: "3", changes: 1, errs: 1},
			{name: "the same broken file again", want: "3", changes: 1, errs: 1},
			{name: "a negative price", write: priceOfX("-1"), want: "3", changes: 1, errs: 2},
			{name: "a price of 1e12", write: priceOfX("1e12"), want: "3", changes: 1, errs: 3},
			{name: "no price", write: strings.Replace(priceOfX("1"), `"input": 1, "output": 2`, "", 1), want: "3", changes: 1, errs: 4},
			{name: "the file is gone", remove: true, want: "3", changes: 1, errs: 5},
			{name: "and stays away", want: "3", changes: 1, errs: 5},
			{name: "it comes back", write: priceOfX("0"), want: "0", changes: 2, errs: 5},
		} {
			if step.write != "" {
				write(step.write)
			}
			if step.remove {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(LiveInterval)
			if got := input(); got != step.want || changes != step.changes || len(errs) != step.errs {
				t.Errorf("%s: input costs %s after %d changes and %d errors, want %s, %d, %d (%q)",
					step.name, got, changes, len(errs), step.want, step.changes, step.errs, errs)
			}
		}
		if l.Book().Version() == first.Version() {
			t.Error("other prices have the same version")
		}
		if p, _ := model.Price(day); Money(p.Input).String() != "1" {
			t.Errorf("what was looked up before now costs %s", Money(p.Input))
		}
	})
}

func TestPriceFilesAreLookedAtNoMoreThanTheIntervalAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "prices.json")
		if err := os.WriteFile(path, []byte(priceOfX("1")), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := NewLiveBook(mustBook(t), []string{path}, nil, func(*Book, error) { t.Error("nothing was to be reported") })
		if err != nil {
			t.Fatal(err)
		}
		before := l.Book()
		if err := os.WriteFile(path, []byte(priceOfX("22")), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(LiveInterval - time.Nanosecond)
		if l.Book() != before {
			t.Error("the file was read too early")
		}
	})
}

func TestALiveBookNeedsSoundFilesToStart(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{broken, filepath.Join(dir, "missing.json")} {
		if _, err := NewLiveBook(mustBook(t), []string{path}, nil, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that names %s", err, path)
		}
	}
	if _, err := NewLiveBook(mustBook(t), nil, []Override{{}}, nil); err == nil {
		t.Error("an empty price line must be refused")
	}
}

func TestAClockThatIsSetBackDoesNotKeepPricesFromChanging(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(path, []byte(priceOfX("1")), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := NewLiveBook(mustBook(t), []string{path}, nil, func(*Book, error) {})
	if err != nil {
		t.Fatal(err)
	}
	before := l.current.Load()
	if err := os.WriteFile(path, []byte(priceOfX("22")), 0o600); err != nil {
		t.Fatal(err)
	}
	l.poll(time.Now().Add(-24 * time.Hour))
	if l.current.Load() == before {
		t.Error("the file is not looked at until the clock is where it was")
	}
}

func TestAPriceFileThatCouldNotBeReadIsReadOnceItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "prices.json")
		if err := os.WriteFile(path, []byte(priceOfX("1")), 0o600); err != nil {
			t.Fatal(err)
		}
		changes, errs := 0, 0
		l, err := NewLiveBook(mustBook(t), []string{path}, nil, func(_ *Book, err error) {
			if err != nil {
				errs++
				return
			}
			changes++
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(priceOfX("22")), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			forbidden     bool // which does not change when the file was written
			changes, errs int
		}{
			{true, 0, 1},
			{true, 0, 1},
			{false, 1, 1},
			{false, 1, 1},
		} {
			l.files[0].load = os.ReadFile
			if step.forbidden {
				l.files[0].load = func(string) ([]byte, error) { return nil, os.ErrPermission }
			}
			time.Sleep(LiveInterval)
			l.Book()
			if changes != step.changes || errs != step.errs {
				t.Errorf("forbidden %v: %d changes and %d errors, want %d and %d", step.forbidden, changes, errs, step.changes, step.errs)
			}
		}
	})
}
