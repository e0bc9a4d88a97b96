package dialecttest

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// SameJSON compares two documents by value; numbers have to be written alike.
func SameJSON(t testing.TB, got, want string) {
	t.Helper()
	if !reflect.DeepEqual(Value(t, got), Value(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Value parses a document for comparison.
func Value(t testing.TB, doc string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return v
}

// ValidJSON parses a document, which has to be valid.
func ValidJSON(t testing.TB, got []byte) gjson.Result {
	t.Helper()
	if !gjson.ValidBytes(got) {
		t.Fatalf("not valid JSON: %s", got)
	}
	return gjson.ParseBytes(got)
}

// JSONText writes a value down for a message.
func JSONText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
