package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/report/reporttest"
)

func table(t *testing.T, s *Sums) string {
	t.Helper()
	var b strings.Builder
	if err := WriteTable(&b, bytes.NewReader(s.AppendJSON(nil))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTables(t *testing.T) {
	rich := entry(t, "2026-11-18 08:00:00", "carol", "gpt", 1234*accounting.Dollar)
	rich.Usage = accounting.Usage{Input: 1_234_567, Output: 98_765}
	evil := entry(t, "2026-11-18 08:00:00", "\x1b[2Jevil\u202e", strings.Repeat("é", 50), 1)
	for name, tc := range map[string]struct {
		query string
		kept  []accounting.Entry
		want  string
	}{
		"by user and model": {"by=user,upstream_model,model&since=month", household(t), `
USER   UPSTREAM MODEL  MODEL  REQUESTS  ERRORS  TOKENS IN  TOKENS OUT      COST
alice  -               gpt           1       1        240          30   $1.0000+
bob    -               opus          1       0        120          15   $0.2500
-      -               gpt           1       0        120          15  <$0.0001
TOTAL                                3       1        480          60   $1.2500+

2026-11-01 00:00 to 2026-11-20 12:00 +00:00 (UTC)
1 call without a known price: where there is a + the true cost is higher.
1 call with estimated usage.
1 call with unknown usage, which may have cost $0.005000 more.
`},
		"a bill": {"by=user&since=all&tz=Asia/Kolkata", append(household(t), rich), `
USER   REQUESTS  ERRORS  TOKENS IN  TOKENS OUT       COST
carol         1       0  1,234,567      98,765  $1,234.00
bob           2       0        240          30      $7.25
alice         1       1        240          30      $1.00+
-             1       0        120          15     <$0.01
TOTAL         5       1  1,235,167      98,840  $1,242.25+

the beginning to 2026-11-20 17:30 +05:30 (Asia/Kolkata)
1 call without a known price: where there is a + the true cost is higher.
1 call with estimated usage.
1 call with unknown usage, which may have cost $0.005000 more.
`},
		"without groups": {"since=2026-11-18&until=2026-11-19", []accounting.Entry{rich}, `
REQUESTS  ERRORS  TOKENS IN  TOKENS OUT       COST
       1       0  1,234,567      98,765  $1,234.00

2026-11-18 00:00 to 2026-11-19 00:00 +00:00 (UTC)
`},
		"of nothing": {"by=user&since=2026-11-18&until=2026-11-19", nil, `
USER   REQUESTS  ERRORS  TOKENS IN  TOKENS OUT     COST
TOTAL         0       0          0           0  $0.0000

2026-11-18 00:00 to 2026-11-19 00:00 +00:00 (UTC)
`},
		"what does not fit": {"by=user&since=2026-11-18&until=2026-11-19&limit=1", []accounting.Entry{rich, evil}, `
USER   REQUESTS  ERRORS  TOKENS IN  TOKENS OUT       COST
carol         1       0  1,234,567      98,765  $1,234.00
TOTAL         2       0  1,234,687      98,780  $1,234.00

2026-11-18 00:00 to 2026-11-19 00:00 +00:00 (UTC)
There are more groups than the limit of 1; the total is of all.
`},
		"what clients made up": {"by=user,model&since=2026-11-18&until=2026-11-19", []accounting.Entry{evil}, `
USER       MODEL                                     REQUESTS  ERRORS  TOKENS IN  TOKENS OUT        COST
�[2Jevil�  ééééééééééééééééééééééééééééééééééééééé…         1       0        120          15  <$0.000001
TOTAL                                                       1       0        120          15  <$0.000001

2026-11-18 00:00 to 2026-11-19 00:00 +00:00 (UTC)
`},
	} {
		if got := table(t, sums(t, tc.query, &reporttest.Memory{Kept: tc.kept})); got != strings.TrimPrefix(tc.want, "\n") {
			t.Errorf("%s:\n%s, want%s", name, got, tc.want)
		}
	}
}

func TestAnAnswerThatIsNoAnswer(t *testing.T) {
	const period = `"period":{"since":null,"until":"2026-11-20T12:00:00Z","timezone":"UTC"}`
	for _, s := range []string{"", "{", "[]", "{}", `{` + period + `,"by":["user"],"rows":[{"user":1}]}`, `{` + period + `,"by":["user"],"rows":[{"user":"a"}]}`, `{` + period + `,"by":["user"],"rows":[{}]}`} {
		var b strings.Builder
		if err := WriteTable(&b, strings.NewReader(s)); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v %s", s, err, b.String())
		}
	}
}

func TestDollarsForPeople(t *testing.T) {
	for _, tc := range []struct {
		amount accounting.Money
		places int
		want   string
	}{
		{0, 2, "$0.00"},
		{1, 2, "<$0.01"},
		{4_999_999, 2, "<$0.01"},
		{5_000_000, 2, "$0.01"},
		{995_000_000, 2, "$1.00"},
		{994_999_999, 2, "$0.99"},
		{1_234_567 * accounting.Dollar, 2, "$1,234,567.00"},
		{1_050_000_000, 4, "$1.0500"},
		{123_456_789, 9, "$0.123456789"},
		{1_500_000_000, 0, "$2"},
		{-1_500_000_000, 2, "-$1.50"},
		{math.MaxInt64, 2, "$9,223,372,036.85"},
		{math.MinInt64, 2, "-$9,223,372,036.85"},
	} {
		if got := formatDollars(tc.amount, tc.places); got != tc.want {
			t.Errorf("%d with %d places is %s, want %s", tc.amount, tc.places, got, tc.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", math.MaxInt64: "9,223,372,036,854,775,807"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
