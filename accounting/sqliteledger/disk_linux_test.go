package sqliteledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/ledgertest"
)

// mount mounts a disk of some bytes, in memory, that is gone when the test ends.
func mount(t *testing.T, options string) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a disk")
	}
	folder = t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		t.Skipf("a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func TestT71AReadOnlyDiskIsReported(t *testing.T) {
	t.Run("a disk of its own", func(t *testing.T) { // which only some may mount
		folder := mount(t, "size=32m")
		path := filepath.Join(folder, "usage.db")
		filled(t, path, 1)
		eventually(t, "nothing is open for writing any more", func() bool { // SQLite closes the file last of all
			err := unix.Mount("", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
			if err != nil && !errors.Is(err, unix.EBUSY) {
				t.Fatal(err)
			}
			return err == nil
		})
		refuses(t, path, "do not allow writing")
		refuses(t, filepath.Join(folder, "new", "usage.db"), "do not allow writing")
	})
	t.Run("permissions", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		path := filepath.Join(t.TempDir(), "usage.db")
		filled(t, path, 1)
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		refuses(t, path, "has to be able to write")
	})
}

// fillDisk takes all the space that is left but keep bytes, and returns what gives it back.
func fillDisk(t *testing.T, folder string, keep int64) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(max(0, info.Size()-keep)); err != nil {
		t.Fatal(err)
	}
	return func() {
		f.Close()
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	}
}

// entry is like others but for its ID, as entries of one client are, so that their sums take little space, while it takes
// much itself.
func entry(n int) accounting.Entry {
	e := ledgertest.Entry(1)
	e.AttemptID = ledgertest.Entry(n).AttemptID
	e.Usage, e.Cost = accounting.Usage{Input: 1}, 1
	e.ProviderRequestID = strings.Repeat("long ", 1000)
	return e
}

func TestT70AFullDiskLosesNothingAndRecoversByItself(t *testing.T) {
	for _, durability := range []string{"process", "power"} {
		for _, failure := range []string{"buffer", "refuse"} {
			t.Run(durability+" "+failure, func(t *testing.T) { fullDisk(t, durability, failure) })
		}
	}
}

func fullDisk(t *testing.T, durability, failure string) {
	folder := mount(t, "size=64m")
	path := filepath.Join(folder, "usage.db")
	l := &Ledger{Path: path}
	l.Durability, l.OnFailure = durability, failure
	cleanUp := provision(t, l)
	t.Cleanup(func() { cleanUp(); closed(t, path) })
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	intend := func(n int) (accounting.Intent, error) {
		e := entry(n)
		return l.Intend(t.Context(), &accounting.Entry{AttemptID: e.AttemptID, Time: e.Time})
	}
	underWay := make([]accounting.Intent, 100)
	for i := range underWay {
		intent, err := intend(i)
		if err != nil {
			t.Fatal(err)
		}
		underWay[i] = intent
	}
	free := fillDisk(t, folder, 0)
	for i, intent := range underWay { // what is under way always ends
		e := entry(i)
		intent.Settle(&e)
	}
	taken := len(underWay)
	var refused error
	for range 3000 { // what the journal has space for already goes in, and then memory
		intent, err := intend(taken)
		if err != nil {
			refused = err
			break
		}
		e := entry(taken)
		intent.Settle(&e)
		taken++
	}
	s, _ := l.Stats()
	t.Logf("%d entries were taken, then %v; stats are %+v", taken, refused, s)
	if failure == "refuse" && refused == nil {
		t.Error("nothing was refused")
	}
	full := time.Now()
	free()
	eventually(t, "there are entries again", func() bool {
		intent, err := intend(taken)
		if err != nil {
			return false
		}
		e := entry(taken)
		intent.Settle(&e)
		taken++
		return true
	})
	again := time.Since(full)
	eventually(t, "all entries are in the database", func() bool {
		sums, err := l.Sums(t.Context(), accounting.Query{})
		return err == nil && sums[0].Attempts == int64(taken) && sums[0].Cost == accounting.Money(taken)
	})
	t.Logf("took entries again after %v, had all %d after %v", again, taken, time.Since(full))
	if again > 2*time.Second {
		t.Errorf("it took %v until entries were taken again, want at most 2s", again)
	}
}
