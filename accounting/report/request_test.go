package report

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestAQuestionOfSums(t *testing.T) {
	now := at(t, "UTC", "2026-11-20 12:00:00")
	r, err := ParseSums(url.Values{
		"by": {"user, tag.project,day"}, "since": {"month"}, "until": {"today"}, "tz": {"Asia/Kolkata"}, "limit": {"7"}, "format": {"csv"},
		"model": {"a", "b"}, "team": {""}, "feature": {"batch"}, "tag.app": {"=x"}, "certainty": {"unknown"},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%v %v %d %s %v", r.Columns, r.Query.By, r.Query.Limit, r.Format, r.Query.Location), "[user tag.project day] [user project day] 7 csv Asia/Kolkata"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want := map[string][]string{"model": {"a", "b"}, "team": {""}, "feature": {"batch"}, "app": {"=x"}, "certainty": {"unknown"}}
	if !reflect.DeepEqual(r.Query.Match, want) {
		t.Errorf("%v", r.Query.Match)
	}
	if got, want := r.Query.Since.String()+" "+r.Query.Until.String(), "2026-10-31 23:30:00 +0530 IST 2026-11-20 00:30:00 +0530 IST"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	plain, err := ParseSums(nil, now)
	if err != nil || len(plain.Query.By) != 0 || plain.Query.Limit != MaxRows || plain.Format != FormatJSON || plain.Query.Location != now.Location() {
		t.Errorf("%+v %v", plain, err)
	}
}

func TestMistakesNameTheParameterAndTheNearestName(t *testing.T) {
	now := at(t, "UTC", "2026-11-20 12:00:00")
	long := strings.Repeat("x", 257)
	for _, tc := range []struct{ query, parameter, want string }{
		{"by=usr", "by", `did you mean "user"? A tag of this name is written tag.usr`},
		{"by=user,user", "by", `"user" is named twice`},
		{"by=feature,tag.feature", "by", `"tag.feature" is named twice`},
		{"by=a1,b1,c1,d1", "by", "at most 3 fields"},
		{"by=hour,day", "by", `"hour" and "day" are both times`},
		{"by=user,", "by", "a name is empty"},
		{"by=tag.", "by", "a name is empty"},
		{"by=requests", "by", "a tag of this name is written tag.requests"},
		{"by=tag.user", "by", "is a field and not a tag"},
		{"by=tag." + long, "by", "not longer than 256 bytes"},
		{"by=a%22b", "by", "is not the name of a tag"},
		{"since=yestrday", "since", `did you mean "yesterday"?`},
		{"since=1d&since=2d", "since", "given twice"},
		{"until=nwo", "until", `did you mean "now"?`},
		{"tz=Europe/Berln", "tz", "such as Europe/Berlin"},
		{"tz=../../etc/passwd", "tz", "there is no time zone"},
		{"tz=/etc/localtime", "tz", "there is no time zone"},
		{"limit=0", "limit", "from 1 to 100000"},
		{"limit=100001", "limit", "from 1 to 100000"},
		{"limit=x", "limit", "from 1 to 100000"},
		{"format=xml", "format", `"xml" is neither json nor csv`},
		{"format=jsno", "format", `did you mean "json"?`},
		{"sice=30d", "sice", `did you mean "since"?`},
		{"usr=alice", "usr", `did you mean "user"?`},
		{"project=x", "project", "a tag of this name is written tag.project"},
		{"day=2026-11-01", "day", "since and until"},
		{"tag.model=x", "tag.model", "is a field and not a tag"},
		{"certainty=reportd", "certainty", `did you mean "reported"?`},
		{"user=" + long, "user", "not longer than 256 bytes"},
		{strings.Repeat("user=a&", 101), "user", "at most 100 values"},
		{long + "=1", strings.Repeat("x", 40) + "…", "there is no such parameter"},
	} {
		v, err := url.ParseQuery(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseSums(v, now)
		var wrong *ParameterError
		if !errors.As(err, &wrong) || wrong.Parameter != tc.parameter || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60s: %v, want %s: %s", tc.query, err, tc.parameter, tc.want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.60s: the message has %d bytes", tc.query, len(err.Error()))
		}
	}
}

func TestEveryQuestionTakesOnlyItsOwnParameters(t *testing.T) {
	now := at(t, "UTC", "2026-11-20 12:00:00")
	if r, err := ParseEntries(url.Values{"user": {"alice"}, "limit": {"200000"}}, now); err != nil || r.Format != FormatJSONL || r.Limit != 200000 || r.Filter.Match["user"][0] != "alice" {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := ParseSummary(url.Values{"user": {"alice"}, "tz": {"Asia/Kolkata"}}, now); err != nil || r.Match["user"][0] != "alice" || r.Now.Location().String() != "Asia/Kolkata" {
		t.Errorf("%+v %v", r, err)
	}
	for query, parse := range map[string]func(url.Values) error{
		"by=user":     func(v url.Values) error { _, err := ParseEntries(v, now); return err },
		"format=json": func(v url.Values) error { _, err := ParseEntries(v, now); return err },
		"since=1d":    func(v url.Values) error { _, err := ParseSummary(v, now); return err },
	} {
		v, _ := url.ParseQuery(query)
		name, _, _ := strings.Cut(query, "=")
		if err := parse(v); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// FuzzQuestions holds that no query string makes anything but an answer or an error that names a parameter.
func FuzzQuestions(f *testing.F) {
	f.Add("by=user,model&since=30d&tz=Europe/Berlin&user=alice&tag.x=%00")
	f.Add("by=,&limit=-1&format=csv&certainty=unknown")
	now := at(f, "UTC", "2026-11-20 12:00:00")
	f.Fuzz(func(t *testing.T, query string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := ParseSums(v, now)
		var wrong *ParameterError
		switch {
		case err != nil && !errors.As(err, &wrong):
			t.Fatalf("%v names no parameter", err)
		case err == nil && (len(r.Query.By) != len(r.Columns) || len(r.Query.By) > maxGroups || r.Query.Limit < 1 || r.Query.Limit > MaxRows):
			t.Fatalf("%+v", r)
		}
	})
}
