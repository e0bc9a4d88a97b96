package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// killEnv names the folder that a process writes a journal to until it is killed.
const killEnv = "JOURNAL_TEST_KILL"

// away is a sink that takes nothing.
type away struct{}

func (away) Insert(context.Context, []accounting.Entry) error { return errors.New("away") }

func TestWriteUntilKilled(t *testing.T) {
	dir := os.Getenv(killEnv)
	if dir == "" {
		t.Skip("runs only in a process that another test starts")
	}
	j := open(t, Options{Dir: dir, Sink: away{}, segmentSize: 256 << 10, hollowAbove: 1})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				e := settled(1_000_000*(w+1) + n)
				i := intend(t, j, e)
				fmt.Printf("intended %s\n", e.AttemptID)
				if n%10 == 0 {
					continue // under way for ever
				}
				i.Settle(&e)
				fmt.Printf("settled %s\n", e.AttemptID)
			}
		})
	}
	wg.Wait()
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	for n := range 20 {
		dir := t.TempDir()
		told := killed(t, dir, time.Duration(20+5*n)*time.Millisecond)
		sink := &store{}
		began := time.Now()
		j := open(t, Options{Dir: dir, Sink: sink})
		if d := time.Since(began); d > time.Second {
			t.Errorf("the next start took %v", d)
		}
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeJournal(t, j)
		unknown, settled := 0, 0
		for id, what := range told {
			row, there := sink.rows[id]
			if !there || what == "settled" && row.Certainty != accounting.Reported {
				t.Errorf("attempt %s was %s, and is lost (there: %v)", id, what, there)
			}
		}
		for id, row := range sink.rows {
			if row.Certainty == accounting.Unknown {
				unknown++
				if !row.Recovered || told[id] == "settled" {
					t.Errorf("attempt %s, %s before, is %+v", id, told[id], row)
				}
			} else {
				settled++
			}
		}
		if len(sink.rows) < len(told) || len(sink.rows) > len(told)+8 || settled == 0 || unknown == 0 {
			t.Errorf("%d attempts were told of, %d are there: %d settled and %d unknown", len(told), len(sink.rows), settled, unknown)
		}
		if names := left(t, dir); len(names) > 0 {
			t.Errorf("left behind: %v", names)
		}
	}
}

// killed runs TestWriteUntilKilled for a while, and returns what it said to have done of each attempt.
func killed(t *testing.T, dir string, after time.Duration) map[string]string {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestWriteUntilKilled$")
	c.Env = append(os.Environ(), killEnv+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = c.Start(); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	var timer *time.Timer
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what was cut off was not said
		}
		if timer == nil {
			timer = time.AfterFunc(after, func() { _ = c.Process.Kill() })
		}
		if what, id, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			told[id] = what
		}
	}
	if err = c.Wait(); err == nil {
		t.Fatal("the process ended by itself")
	}
	return told
}
