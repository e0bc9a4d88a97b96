package report

import (
	"strconv"

	"github.com/caddy-llm/llmgateway/accounting"
)

// thousands writes a number with commas: 1,234,567.
func thousands(n int64) string { return group(strconv.FormatInt(n, 10)) }

// group sets commas between the digits of a whole number.
func group(digits string) string {
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// decimals is how many places amounts are shown with that add up to total: cents where it is a bill, more where cents say nothing.
func decimals(total accounting.Money) int {
	switch {
	case total >= 100*accounting.Dollar:
		return 2
	case total >= accounting.Dollar || total == 0:
		return 4
	}
	return 6
}

// formatDollars writes an amount with so many decimal places, at most nine, rounded half up: $1,234.50. What is not zero never looks
// like it: <$0.01.
func formatDollars(m accounting.Money, places int) string {
	if m < 0 {
		if m == -m { // the smallest amount has no positive counterpart
			m++
		}
		return "-" + formatDollars(-m, places)
	}
	unit := accounting.Money(1)
	for range 9 - places {
		unit *= 10
	}
	units := m / unit
	if m%unit*2 >= unit && unit > 1 {
		units++
	}
	sign := "$"
	if units == 0 && m > 0 {
		sign, units = "<$", 1
	}
	perDollar := accounting.Dollar / unit
	s := sign + thousands(int64(units/perDollar))
	if places == 0 {
		return s
	}
	fraction := strconv.FormatInt(int64(units%perDollar), 10)
	for len(fraction) < places {
		fraction = "0" + fraction
	}
	return s + "." + fraction
}
