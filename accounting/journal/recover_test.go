package journal

import (
	"context"
	"errors"
	"hash/crc32"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-llm/llmgateway/accounting"
)

const (
	leftFolder  = "/j/0123456789abcdef" + folderSuffix
	leftSegment = leftFolder + "/0123456789abcdef" + segmentSuffix
)

// leftBehind is a file system with one segment of a journal that ended.
func leftBehind(segment []byte) *simulated {
	fs := newSimulated()
	fs.dirs["/j"], fs.dirs[leftFolder] = true, true
	fs.files[leftSegment] = &node{data: slices.Clone(segment)}
	return fs
}

// segmentOf is the content of a segment in which attempts were settled, but for every third. It also returns where each ends.
func segmentOf(t testing.TB, n int) (content []byte, ends []int) {
	t.Helper()
	fs := newSimulated()
	j, err := Open(Options{Dir: "/j", Sink: away{}, files: fs, segmentSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for n := range n {
		e := settled(n)
		before := intended(e)
		i, err := j.Intend(t.Context(), &before)
		if err != nil {
			t.Fatal(err)
		}
		if n%3 != 2 {
			i.Settle(&e)
		}
		ends = append(ends, int(j.current.Load().next.Load()))
	}
	s := j.current.Load()
	crash(j)
	return fs.files[s.path()].data, ends
}

// recovered opens what is left behind, and returns every entry that the sink gets, as often as it does.
func recovered(t testing.TB, fs *simulated, log *zap.Logger) []accounting.Entry {
	t.Helper()
	sink := &counting{}
	j, err := Open(Options{Dir: "/j", Sink: sink, files: fs, segmentSize: 16 << 10, Logger: log})
	if err != nil {
		if !errors.Is(err, errVersion) {
			t.Fatalf("open: %v", err)
		}
		return nil
	}
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sink.list
}

// counting is a sink that keeps what it gets, also twice.
type counting struct{ list []accounting.Entry }

func (c *counting) Insert(_ context.Context, entries []accounting.Entry) error {
	c.list = append(c.list, entries...)
	return nil
}

func TestASegmentThatWasCutOffGivesBackWhatIsWholeInIt(t *testing.T) {
	content, ends := segmentOf(t, 8)
	for cut := 0; cut <= len(content); cut += 37 {
		got := recovered(t, leftBehind(content[:cut]), nil)
		for n, end := range ends {
			if end > cut {
				break
			}
			i := slices.IndexFunc(got, func(e accounting.Entry) bool { return e.AttemptID == settled(n).AttemptID })
			if i < 0 {
				t.Fatalf("cut at %d: attempt %d, which ends at %d, is lost", cut, n, end)
			}
		}
		checkRecovered(t, got)
	}
}

// checkRecovered checks that entries are of the first few made by segmentOf, none of them twice.
func checkRecovered(t *testing.T, got []accounting.Entry) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range got {
		if seen[e.AttemptID] {
			t.Errorf("%s is there twice", e.AttemptID)
		}
		seen[e.AttemptID] = true
		ok := slices.ContainsFunc([]int{0, 1, 2, 3, 4, 5, 6, 7}, func(n int) bool {
			want := settled(n)
			if e.Certainty == accounting.Unknown {
				want = intended(want)
				want.Recovered = true
			}
			return reflect.DeepEqual(e, want)
		})
		if !ok {
			t.Errorf("there was no such entry: %+v", e)
		}
	}
}

func TestADamagedFileIsKeptAsideAndTheRestOfItIsRecovered(t *testing.T) {
	content, ends := segmentOf(t, 8)
	middle := ends[2] + 100
	for name, tt := range map[string]struct {
		damage func(b []byte)
		lost   int
		kept   bool
	}{
		"nothing":                     {func([]byte) {}, 0, false},
		"a byte of an intent":         {func(b []byte) { b[middle] ^= 1 }, 1, true},
		"the header of a region":      {func(b []byte) { b[ends[2]+9] ^= 1 }, 1, true},
		"a sector is zero":            {func(b []byte) { clear(b[ends[2]/sectorSize*sectorSize+sectorSize:][:sectorSize]) }, 1, false},
		"the header of the file":      {func(b []byte) { b[3] ^= 1 }, 8, true},
		"all of it":                   {func(b []byte) { clear(b) }, 8, true},
		"a byte where nothing was":    {func(b []byte) { b[len(b)-7] = 1 }, 0, true},
		"text that reads as a header": {func(b []byte) { copy(b[ends[7]+64:], b[ends[2]:ends[3]]) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.InfoLevel)
			bad := slices.Clone(content)
			tt.damage(bad)
			fs := leftBehind(bad)
			got := recovered(t, fs, zap.New(core))
			checkRecovered(t, got)
			if len(got) != 8-tt.lost {
				t.Errorf("%d entries, want %d", len(got), 8-tt.lost)
			}
			var names []string
			for name := range fs.files {
				names = append(names, name)
			}
			if kept := len(names) == 1 && strings.HasSuffix(names[0], corruptSuffix); kept != tt.kept || !kept && len(names) > 0 {
				t.Errorf("left behind: %v; want a file kept aside: %v", names, tt.kept)
			}
			if told := logs.FilterMessageSnippet("kept aside").Len() == 1; told != tt.kept {
				t.Errorf("the log says that a file is kept aside: %v, want %v", told, tt.kept)
			}
		})
	}
}

func TestAFileOfANewerVersionIsRefusedAndLeftAsItIs(t *testing.T) {
	content, _ := segmentOf(t, 2)
	newer := slices.Clone(content)
	copy(newer, segmentHeader(order.Uint64(newer[16:]), int64(len(newer))))
	order.PutUint32(newer[8:], segmentVersion+1)
	resealSegment(newer)
	fs := leftBehind(newer)
	_, err := Open(Options{Dir: "/j", Sink: &store{}, files: fs})
	if !errors.Is(err, errVersion) || !strings.Contains(err.Error(), filepath.Base(leftSegment)) {
		t.Errorf("open: %v, want that %s is of a newer version", err, leftSegment)
	}
	if f := fs.files[leftSegment]; len(fs.files) != 1 || f == nil || !slices.Equal(f.data, newer) {
		t.Errorf("the file is not what it was: %v", fs.files)
	}
	if len(fs.locks) > 0 {
		t.Errorf("locks are held: %v", fs.locks)
	}
}

func TestEveryFieldOfAnEntryIsWrittenDown(t *testing.T) {
	for name, limit := range map[string]int64{"small": 100, "large": math.MaxInt64} {
		t.Run(name, func(t *testing.T) {
			var want accounting.Entry
			n := int64(0)
			fill(reflect.ValueOf(&want).Elem(), func() int64 { n++; return limit - n })
			want.Certainty, want.Time = accounting.Void, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
			got, err := decodeEntry(appendEntry(nil, &want))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v: got\n%+v\nwant\n%+v", err, got, want)
			}
		})
	}
	var zero accounting.Entry
	if got, err := decodeEntry(appendEntry(nil, &zero)); err != nil || !reflect.DeepEqual(got, zero) || !got.Time.IsZero() {
		t.Errorf("%v: got\n%+v\nwant\n%+v", err, got, zero)
	}
}

// fill gives every field a value of its own.
func fill(v reflect.Value, next func() int64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), next)
			}
		}
	case reflect.String:
		v.SetString(strings.Repeat("é", int(next()%50)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"feature": "x", "": ""}))
	case reflect.Uint8:
		v.SetUint(1)
	default:
		v.SetInt(next())
	}
}

func resealSegment(b []byte) {
	order.PutUint32(b[unit-4:], crc32.Checksum(b[:unit-4], castagnoli))
}

func FuzzDecodeEntry(f *testing.F) {
	for n := range 3 {
		e := settled(n)
		b := appendEntry(nil, &e)
		f.Add(b)
		f.Add(b[:len(b)-n*40])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		again, err := decodeEntry(appendEntry(nil, &e))
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%v: got\n%+v\nwant\n%+v", err, again, e)
		}
	})
}

func FuzzRecover(f *testing.F) {
	content, ends := segmentOf(f, 8)
	f.Add(uint16(ends[3]), uint16(len(content)), []byte{})
	f.Add(uint16(100), uint16(ends[5]-10), []byte("damaged"))
	f.Add(uint16(0), uint16(len(content)), content[:unit])
	f.Add(uint16(ends[7]+64), uint16(len(content)), content[ends[0]:ends[1]])
	f.Add(uint16(ends[1]), uint16(len(content)), make([]byte, sectorSize))
	// Something is written somewhere into a good segment, which is then cut off.
	f.Fuzz(func(t *testing.T, at, cut uint16, b []byte) {
		bad := slices.Clone(content)
		copy(bad[min(int(at), len(bad)):], b)
		bad = bad[:min(int(cut), len(bad))]
		got := recovered(t, leftBehind(bad), nil)
		checkRecovered(t, got)
		for n, end := range ends {
			if end <= min(int(at), int(cut)) && !slices.ContainsFunc(got, func(e accounting.Entry) bool { return e.AttemptID == settled(n).AttemptID }) {
				t.Errorf("attempt %d, before anything that was damaged, is lost", n)
			}
		}
	})
}
