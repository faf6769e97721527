package explain

import (
	"fmt"
	"strings"
	"time"
)

// maxOneUnit is the largest number of one unit that stays as it is: 90 s, but 2 min 1 s.
const maxOneUnit = 120

// durationWords returns a positive duration in words: the number of one unit if it is small, and
// otherwise the number of each unit from hours on.
func durationWords(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{
		{time.Hour, "h"},
		{time.Minute, "min"},
		{time.Second, "s"},
		{time.Millisecond, "ms"},
		{time.Microsecond, "us"},
		{time.Nanosecond, "ns"},
	}
	var parts []string
	for rest, i := d, 0; rest > 0; i++ {
		unit := units[i]
		if d%unit.size == 0 && d/unit.size <= maxOneUnit {
			return fmt.Sprintf("%d %s", d/unit.size, unit.name)
		}
		if n := rest / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
		rest %= unit.size
	}
	return strings.Join(parts, " ")
}
