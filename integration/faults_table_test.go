package integration

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

var faultsTable = flag.Bool("faults.table", false, "print what became of every row of the fault table")

// faultsFull runs every row at full size. It takes about half an hour.
var faultsFull = os.Getenv("LLMGATEWAY_FAULTS") == "full"

// faultN is how many requests a row makes: few in everyday tests, all of them in a full run.
func faultN(few, all int) int {
	if faultsFull {
		return all
	}
	return few
}

// faultTime is for lengths of time what faultN is for numbers.
func faultTime(short, long time.Duration) time.Duration {
	if faultsFull {
		return long
	}
	return short
}

// faultRows are the rows of the fault table. Rows that are not about balancing, fallback and the relaying of answers
// belong to other work, and the table says so rather than leave them out.
var faultRows = map[int]string{
	1: "connection refused", 2: "SYN black hole", 3: "DNS: no such name, slow, changed", 4: "bad certificates", 5: "TLS handshake stalls",
	6: "request read, then closed", 7: "stale keep-alive connections", 8: "HTTP/2 GOAWAY, REFUSED_STREAM, reset", 9: "flapping",
	10: "500, 502, 503, 504 of the only target", 11: "529 and overloads before content", 12: "429 with two credentials", 13: "every target 429",
	14: "money gone", 15: "strange Retry-After", 16: "401, 403", 17: "context length", 18: "content policy", 19: "400, 404, 413, 422",
	20: "408, 409", 21: "redirects", 22: "1xx", 23: "20 % random failures, one healthy fallback", 24: "random failures of the only target",
	25: "primary down, then back", 26: "HTML, large, empty and false errors", 27: "all targets ejected",
	28: "no first byte", 29: "silence in the middle", 30: "a byte at a time", 31: "headers, then reset", 32: "reset after k events",
	33: "clean end without end marker", 34: "error event after content", 35: "wrong length, broken chunks", 36: "split at every byte",
	37: "line ends, comments, fields of SSE", 38: "invalid UTF-8, U+2028, NUL", 39: "very long lines", 40: "very many events",
	41: "malformed event among good ones", 42: "events out of order", 43: "JSON for a stream, stream for JSON", 44: "compressed answers",
	45: "strange usage", 46: "another model answers", 47: "huge and broken tool calls",
	48: "client gone before the first byte", 49: "client gone in the middle", 50: "half-open client", 51: "very slow reader",
	52: "slow headers, slow body", 53: "body too large, lying length", 54: "compressed request", 55: "bombs of JSON",
	56: "duplicate and look-alike keys", 57: "no JSON", 58: "smuggled headers", 59: "control characters in names", 60: "conflicting credentials",
	61: "guessed keys", 62: "routing by the client", 63: "tricks with paths", 64: "HTTP/2 rapid reset", 65: "Idempotency-Key", 66: "strange max_tokens",
	67: "parallel spending", 68: "kill -9", 69: "power loss", 70: "disk full", 71: "broken database", 72: "SIGTERM with open streams",
	73: "reload every 200 ms", 74: "invalid and changed configuration", 75: "clock steps", 76: "Redis fails", 77: "PostgreSQL fails",
	78: "partition of gateways", 79: "settling twice", 80: "price changes", 81: "crash in a rollup",
	82: "10,000 streams", 83: "five times the capacity", 84: "no descriptors left", 85: "memory pressure", 86: "one processor, busy", 87: "soak",
	88: "scripts in the dashboard", 89: "dashboard without login", 90: "other tenants' data", 91: "secrets in /config", 92: "upstream echoes the key",
	93: "formulas in exports", 94: "fetching of URLs",
}

// faultElsewhere are the rows that are proven in the package of what they are about.
var faultElsewhere = map[int]string{
	69: "accounting/journal", 70: "accounting/sqliteledger", 71: "accounting/sqliteledger", 79: "accounting/usagedb", 80: "accounting",
	81: "accounting/usagedb", 93: "accounting/report",
}

// faultLater are the rows about what the gateway does not have yet: keys, budgets, shared counters, the dashboard.
func faultLater(n int) bool {
	switch n {
	case 60, 61, 67, 75, 76, 78, 87:
		return true
	}
	return n >= 88 && faultElsewhere[n] == ""
}

// faultOpen is a demand of a row that the gateway does not meet yet.
type faultOpen struct {
	row     int
	demand  string
	missing string
}

// faultResult is what became of a row.
type faultResult struct {
	figures []string
	failed  bool
	open    []string // what is missing
	fullRun bool     // part of it runs only at full size
}

var faultResults = struct {
	sync.Mutex
	rows map[int]*faultResult
}{rows: map[int]*faultResult{}}

// faultRow gives a row's result to change.
func faultRow(n int, change func(r *faultResult)) {
	faultResults.Lock()
	defer faultResults.Unlock()
	r := faultResults.rows[n]
	if r == nil {
		r = new(faultResult)
		faultResults.rows[n] = r
	}
	change(r)
}

func TestMain(m *testing.M) {
	if os.Getenv(faultChildEnv) != "" {
		caddycmd.Main() // this process is a gateway of a test in another one
		return
	}
	flag.Parse()
	home, err := os.MkdirTemp("", "llmgateway")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Caddy's data and the ledger that gateways have by default are not the developer's own.
	os.Setenv("XDG_DATA_HOME", home)
	os.Setenv("XDG_CONFIG_HOME", home)
	code := m.Run()
	_ = os.RemoveAll(home) // the system's folder for what may go
	if *faultsTable {
		faultPrint()
	}
	os.Exit(code)
}

// faultPrint writes the table.
func faultPrint() {
	size := "few requests; LLMGATEWAY_FAULTS=full for all"
	if faultsFull {
		size = "full size"
	}
	fmt.Printf("\nFault table (%s)\n%-4s %-42s %-12s %s\n", size, "T", "fault", "result", "figures")
	counts := map[string]int{}
	rows := make([]int, 0, len(faultRows))
	for n := range faultRows {
		rows = append(rows, n)
	}
	slices.SortFunc(rows, cmp.Compare[int])
	for _, n := range rows {
		r := faultResults.rows[n]
		result, figures := "not run", ""
		switch {
		case r == nil && faultElsewhere[n] != "":
			result, figures = "elsewhere", faultElsewhere[n]
		case r == nil && faultLater(n):
			result = "later"
		case r == nil:
		case r.failed:
			result = "FAIL"
		case len(r.open) > 0:
			result = "open"
		default:
			result = "pass"
		}
		counts[result]++
		if r != nil {
			figures = strings.Join(r.figures, "; ")
			for _, missing := range r.open {
				figures += " [open: " + missing + "]"
			}
			if r.fullRun && !faultsFull {
				figures += " [the rest at full size]"
			}
		}
		fmt.Printf("T%-3d %-42s %-12s %s\n", n, faultRows[n], result, strings.TrimSpace(figures))
	}
	fmt.Printf("pass %d, open %d, FAIL %d, not run %d, elsewhere %d, later %d\n",
		counts["pass"], counts["open"], counts["FAIL"], counts["not run"], counts["elsewhere"], counts["later"])
}

// fault is one row of the table, or a part of it, under test.
type fault struct {
	*testing.T
	row    int
	parent *fault
	mu     sync.Mutex
	opens  map[string]bool // demands that are in notYet: whether one was missed
	ends   []func()
}

// later registers what is done when the part of the row is over, the last first. Unlike in Cleanup, the context of the test
// still lives then.
func (f *fault) later(do func()) { f.ends = append(f.ends, do) }

func (f *fault) end() {
	for len(f.ends) > 0 {
		do := f.ends[len(f.ends)-1]
		f.ends = f.ends[:len(f.ends)-1]
		do()
	}
}

// faultTest tests a row.
func faultTest(t *testing.T, row int, test func(f *fault)) {
	t.Helper()
	f := &fault{T: t, row: row, opens: map[string]bool{}}
	faultRow(row, func(*faultResult) {})
	t.Cleanup(func() {
		for demand, missed := range f.opens {
			what := notYet(row, demand)
			if !missed {
				t.Errorf("T%d: %q holds now: take it out of faultsNotYet", row, demand)
				continue
			}
			faultRow(row, func(r *faultResult) { r.open = append(r.open, what) })
		}
		for _, o := range faultsNotYet {
			if _, checked := f.opens[o.demand]; o.row == row && !checked { // what is checked at full size is open all the same
				faultRow(row, func(r *faultResult) { r.open = append(r.open, o.missing) })
			}
		}
		faultRow(row, func(r *faultResult) { r.failed = r.failed || t.Failed() })
	})
	defer f.end()
	test(f)
}

// run is a part of the row.
func (f *fault) run(name string, test func(f *fault)) {
	f.Helper()
	f.T.Run(name, func(t *testing.T) {
		part := &fault{T: t, row: f.row, parent: f}
		defer part.end()
		test(part)
	})
}

func (f *fault) root() *fault {
	for f.parent != nil {
		f = f.parent
	}
	return f
}

// must demands something of the gateway, by a short name. What it does not do yet is in faultsNotYet, under that name.
func (f *fault) must(ok bool, demand, format string, args ...any) {
	f.Helper()
	root := f.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	if notYet(f.row, demand) != "" {
		root.opens[demand] = root.opens[demand] || !ok
		if !ok {
			f.Logf("open: %s: "+format, append([]any{demand}, args...)...)
		}
		return
	}
	if !ok {
		f.Errorf("T%d %s: "+format, append([]any{f.row, demand}, args...)...)
	}
}

// figure reports what was measured.
func (f *fault) figure(format string, args ...any) {
	f.Helper()
	text := fmt.Sprintf(format, args...)
	f.Logf("T%d: %s", f.row, text)
	faultRow(f.row, func(r *faultResult) { r.figures = append(r.figures, text) })
}

// full reports whether a part of the row that takes long may run.
func (f *fault) full() bool {
	if !faultsFull {
		faultRow(f.row, func(r *faultResult) { r.fullRun = true })
	}
	return faultsFull
}

// notYet says what is missing for a demand; empty if it has to hold.
func notYet(row int, demand string) string {
	for _, o := range faultsNotYet {
		if o.row == row && o.demand == demand {
			return o.missing
		}
	}
	return ""
}

func TestEveryOpenDemandBelongsToARow(t *testing.T) {
	for _, o := range faultsNotYet {
		if faultRows[o.row] == "" || faultElsewhere[o.row] != "" || faultLater(o.row) || o.demand == "" || o.missing == "" {
			t.Errorf("%+v", o)
		}
	}
}
