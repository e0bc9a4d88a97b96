package dialecttest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// Update says that golden files are to be rewritten.
var Update = flag.Bool("update", false, "rewrite the golden files")

// Golden compares got with a file, or rewrites the file with -update.
func Golden(t testing.TB, file string, got []byte) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs\n--- want\n%s\n--- got\n%s", file, want, got)
	}
}
