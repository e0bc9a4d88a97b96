package accounting

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

func TestAmountsAreReadExactly(t *testing.T) {
	for _, c := range []struct {
		text string
		want Money
	}{
		{"$10", 10 * Dollar},
		{"0.075", 75_000_000},
		{"$2000", 2000 * Dollar},
		{"0", 0},
		{".5", 500_000_000},
		{"5.", 5 * Dollar},
		{"0.000000001", 1},
		{"0.10000000000000000000000000000", 100_000_000},
		{"2.5e-7", 250},
		{"1E3", 1000 * Dollar},
		{"0e60", 0},
		{"9223372036.854775807", math.MaxInt64},
	} {
		got, err := ParseMoney(c.text)
		if err != nil || got != c.want {
			t.Errorf("ParseMoney(%q) = %d, %v; want %d", c.text, got, err, c.want)
		}
	}
}

func TestWhatIsNoAmountIsRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{"", errNotMoney},
		{"$", errNotMoney},
		{".", errNotMoney},
		{"ten", errNotMoney},
		{"1,000", errNotMoney},
		{"1_000", errNotMoney},
		{"0x10", errNotMoney},
		{"1.2.3", errNotMoney},
		{"NaN", errNotMoney},
		{"1e", errNotMoney},
		{"1e999999999", errNotMoney},
		{" 1", errNotMoney},
		{"-1", errNegativeMoney},
		{"$-0.01", errNegativeMoney},
		{"0.0000000001", errMoneyTooFine},
		{"9223372036.854775808", errMoneyRange},
		{"1e12", errMoneyRange},
		{"99999999999999999999999999", errMoneyRange},
	} {
		if got, err := ParseMoney(c.text); !errors.Is(err, c.want) {
			t.Errorf("ParseMoney(%q) = %d, %v; want error %q", c.text, got, err, c.want)
		}
	}
}

func TestAmountsAreWrittenWithoutTrailingZeros(t *testing.T) {
	for _, c := range []struct {
		m    Money
		want string
	}{
		{0, "0"},
		{10 * Dollar, "10"},
		{123_000, "0.000123"},
		{1, "0.000000001"},
		{-500_000_000, "-0.5"},
		{1_000_000_001, "1.000000001"},
		{math.MaxInt64, "9223372036.854775807"},
		{math.MinInt64, "-9223372036.854775808"},
	} {
		if got := c.m.String(); got != c.want {
			t.Errorf("Money(%d).String() = %q, want %q", int64(c.m), got, c.want)
		}
	}
}

func TestSumsOfMoneySaturate(t *testing.T) {
	for _, c := range []struct{ a, b, want Money }{
		{1, 2, 3},
		{math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MinInt64, -1, math.MinInt64},
		{math.MaxInt64, math.MinInt64, -1},
		{-5, 3, -2},
	} {
		if got := c.a.Add(c.b); got != c.want {
			t.Errorf("%d + %d = %d, want %d", int64(c.a), int64(c.b), int64(got), int64(c.want))
		}
	}
}

func FuzzMoneyAgreesWithRationals(f *testing.F) {
	for _, s := range []string{"$10", "0.075", "1e-7", "9223372036.854775807", "-1", "1e30", "0.1e1", "00.00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		if m < 0 {
			t.Fatalf("ParseMoney(%q) = %d is negative", s, m)
		}
		back, err := ParseMoney(m.String())
		if err != nil || back != m {
			t.Fatalf("%q was written as %q and read back as %d, %v", s, m, back, err)
		}
		number := s
		if number[0] == '$' {
			number = number[1:]
		}
		want, ok := new(big.Rat).SetString(number)
		if !ok {
			t.Fatalf("ParseMoney accepts %q, which is no number", s)
		}
		if got := big.NewRat(int64(m), int64(Dollar)); got.Cmp(want) != 0 {
			t.Fatalf("ParseMoney(%q) = %s, want %s", s, got, want)
		}
	})
}
