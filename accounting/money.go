package accounting

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// maxExponent bounds the decimal exponent that [ParseMoney] follows. Anything beyond it is either zero or far outside
// of Money's range.
const maxExponent = 60

var (
	errNotMoney      = errors.New("not an amount in dollars")
	errNegativeMoney = errors.New("an amount must not be negative")
	errMoneyRange    = errors.New("amount is out of range")
	errMoneyTooFine  = errors.New("amount is finer than a nano-dollar")
)

// ParseMoney reads an amount in dollars, with or without a dollar sign: "$10", "0.075", "2.5e-7". It never passes
// through a float. Negative amounts, amounts finer than a nano-dollar and amounts above 9.2 billion dollars are errors.
func ParseMoney(s string) (Money, error) {
	m, err := parseMoney(s)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", err, shorten(s))
	}
	return m, nil
}

func parseMoney(s string) (Money, error) {
	s = strings.TrimPrefix(s, "$")
	if strings.HasPrefix(s, "-") {
		return 0, errNegativeMoney
	}
	mantissa, exponent, err := cutExponent(s)
	if err != nil {
		return 0, err
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" {
		return 0, errNotMoney
	}
	fraction = strings.TrimRight(fraction, "0")
	var n uint64
	for _, digits := range [...]string{whole, fraction} {
		for _, c := range []byte(digits) {
			if c < '0' || c > '9' {
				return 0, errNotMoney
			}
			hi, lo := bits.Mul64(n, 10)
			if hi != 0 || lo > math.MaxUint64-uint64(c-'0') {
				return 0, errMoneyRange
			}
			n = lo + uint64(c-'0')
		}
	}
	return scale(n, 9-len(fraction)+exponent)
}

// cutExponent splits "2.5e-7" into "2.5" and -7.
func cutExponent(s string) (string, int, error) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, 0, nil
	}
	e, err := strconv.Atoi(s[i+1:])
	if err != nil || e < -maxExponent || e > maxExponent {
		return "", 0, errNotMoney
	}
	return s[:i], e, nil
}

// scale returns n × 10^power, which has to be a whole number within Money's range.
func scale(n uint64, power int) (Money, error) {
	if n == 0 {
		return 0, nil
	}
	for ; power < 0; power++ {
		if n%10 != 0 {
			return 0, errMoneyTooFine
		}
		n /= 10
	}
	for ; power > 0; power-- {
		if n > math.MaxInt64/10 {
			return 0, errMoneyRange
		}
		n *= 10
	}
	if n > math.MaxInt64 {
		return 0, errMoneyRange
	}
	return Money(n), nil
}

// shorten keeps what a user typed from flooding an error message.
func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// String returns the amount in dollars without a sign for the currency and without trailing zeros: "0.000123", "10".
func (m Money) String() string { return string(m.AppendDollars(make([]byte, 0, 24))) }

// AppendDollars appends what [Money.String] returns. It is also a valid JSON number.
func (m Money) AppendDollars(dst []byte) []byte {
	u := uint64(m)
	if m < 0 {
		dst = append(dst, '-')
		u = -u // correct for the smallest Money too
	}
	dst = strconv.AppendUint(dst, u/uint64(Dollar), 10)
	rest := u % uint64(Dollar)
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	for place := uint64(Dollar) / 10; rest > 0; place /= 10 {
		dst = append(dst, byte('0'+rest/place))
		rest %= place
	}
	return dst
}

// Add returns m + n. It saturates at the ends of the range instead of wrapping, so that no sum of costs ever turns
// into a credit.
func (m Money) Add(n Money) Money {
	sum := m + n
	if (m >= 0) == (n >= 0) && (sum >= 0) != (m >= 0) {
		if m >= 0 {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return sum
}

// wide is an unsigned 128-bit sum that saturates.
type wide struct{ hi, lo uint64 }

// addProduct adds n × price. Negative factors count as zero: a provider that reports negative usage earns nothing.
func (w *wide) addProduct(n, price int64) {
	if n <= 0 || price <= 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(n), uint64(price))
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, lo, 0)
	w.hi, carry = bits.Add64(w.hi, hi, carry)
	if carry != 0 {
		w.hi, w.lo = math.MaxUint64, math.MaxUint64
	}
}

// money returns the sum as Money, saturated.
func (w *wide) money() Money {
	if w.hi != 0 || w.lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return Money(w.lo)
}

// divideMillion returns the sum divided by a million, rounded half up and saturated.
func (w *wide) divideMillion() Money {
	const million = 1_000_000
	if w.hi >= million { // the quotient would not fit into 64 bits
		return math.MaxInt64
	}
	q, r := bits.Div64(w.hi, w.lo, million)
	if q >= math.MaxInt64 {
		return math.MaxInt64
	}
	if r >= million/2 {
		q++
	}
	return Money(q)
}
