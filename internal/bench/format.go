package bench

import (
	"fmt"
	"math"
	"strconv"
)

// format returns a value with its unit: three digits, with commas between thousands.
func format(value float64, unit string) string {
	switch unit {
	case "B":
		for _, prefix := range []string{"B", "KiB", "MiB", "GiB"} {
			if value < 1024 || prefix == "GiB" {
				return digits(value) + " " + prefix
			}
			value /= 1024
		}
	case "%":
		return strconv.FormatFloat(math.Floor(value*100)/100, 'f', -1, 64) + " %" // rounded down: 100 % means all
	case "", "/s":
		return digits(value) + unit
	}
	return digits(value) + " " + unit
}

// digits returns value with three significant digits, or as a whole number.
func digits(value float64) string {
	switch {
	case value < 0:
		return "-" + digits(-value)
	case value == float64(int64(value)) || value >= 100:
		return thousands(int64(value + 0.5))
	case value >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case value >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	default:
		return strconv.FormatFloat(value, 'g', 2, 64)
	}
}

func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
