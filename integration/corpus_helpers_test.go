package integration

import (
	"fmt"
	"testing"
)

func TestReviewsCoverWhatTheySay(t *testing.T) {
	for _, tc := range []struct {
		review                    corpusReview
		exchange, client, finding string
		want                      bool
	}{
		{corpusReview{"a-1", "", "reply: text: *", ""}, "a-1", "x", "reply: text: want a/b", true},
		{corpusReview{"a-*", "x", "reply: text: *", ""}, "a-1", "x", "reply: text: ", true},
		{corpusReview{"a-1", "", "reply: text", ""}, "a-1", "x", "reply: text: want", false},
		{corpusReview{"a-1", "y", "*", ""}, "a-1", "x", "reply", false},
		{corpusReview{"a-1", "", "*", ""}, "a-12", "x", "reply", false},
		{corpusReview{"[", "", "*", ""}, "[", "x", "reply", false},
	} {
		if got := tc.review.covers(tc.exchange, tc.client, tc.finding); got != tc.want {
			t.Errorf("%+v covers %s, %s, %s: %v", tc.review, tc.exchange, tc.client, tc.finding, got)
		}
	}
}

func TestReviewsTakeOutWhatTheyCoverOnly(t *testing.T) {
	table, reviews := &corpusTable{}, &corpusReviews{list: []corpusReview{{"a", "", "1*", "so be it"}, {"b", "", "*", "never seen"}}}
	rest := reviews.sort(table, "a", "x", []string{"11", "2", "12"})
	if got := fmt.Sprint(rest, table.notes, reviews.used); got != "[2] map[so be it:2] map[0:2]" {
		t.Error(got)
	}
}

func TestTheTableAddsUp(t *testing.T) {
	table := &corpusTable{}
	for i := range 8 {
		table.count("e", fmt.Sprint("c", i%2), i < 4, i > 1)
	}
	if got := table.percent(); got != 75 {
		t.Errorf("%v %%", got)
	}
	if n := table.rows[corpusRow{"e", "c1", true}]; n == nil || *n != (corpusCount{1, 2}) {
		t.Errorf("%+v", n)
	}
}
