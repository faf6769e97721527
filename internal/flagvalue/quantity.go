package flagvalue

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Quantity is a Kubernetes quantity, such as 16Mi.
type Quantity string

func (q *Quantity) String() string { return string(*q) }

// Set sets q to value, if that is a quantity.
func (q *Quantity) Set(value string) error {
	if _, _, err := cutUnit(value); err != nil {
		return err
	}
	*q = Quantity(value)
	return nil
}

// Type is the placeholder of the value in help.
func (*Quantity) Type() string { return "size" }

// cutUnit splits a quantity into its number and its unit or exponent.
func cutUnit(value string) (number, unit string, err error) {
	const form = `^([+-]?(?:\d+\.?\d*|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$`
	m := regexp.MustCompile(form).FindStringSubmatch(value)
	if m == nil {
		return "", "", errors.New("it must be a number and a unit, such as 9.2E or 16Mi")
	}
	return m[1], m[2], nil
}

// Bytes parses a quantity of bytes, from 1 to 1 TiB.
func Bytes(value string) (int64, error) {
	n, err := Size(value)
	switch {
	case err != nil:
		return 0, err
	case n > 1<<40:
		return 0, errors.New("a size must be at least 1 byte and at most 1Ti")
	}
	return int64(n), nil
}

// Size parses a quantity of bytes, at least 1.
func Size(value string) (float64, error) {
	number, unit, err := cutUnit(value)
	if err != nil {
		return 0, errors.New("a size must be a number and a unit, such as 4Mi or 500k")
	}
	if strings.HasPrefix(strings.ToLower(unit), "e") && unit != "E" && unit != "Ei" { // an exponent
		number, unit = number+unit, ""
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil { // out of range
		n = math.Inf(1)
	}
	n *= map[string]float64{
		"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
		"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
	}[unit]
	if n = math.Ceil(n); n < 1 {
		return 0, errors.New("a size must be at least 1 byte and at most 1Ti")
	}
	return n, nil
}
