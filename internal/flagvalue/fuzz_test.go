package flagvalue

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

// FuzzFlagValues checks that no flag value makes a parser panic, and that accepted values are within the
// bounds in the error of the flag.
func FuzzFlagValues(f *testing.F) {
	for _, value := range []string{
		"4Mi", "500k", "1e3", "1E", "0", "-1", ".5Ki", "1.", "9223372036854775808", "1e400", "65536", "+1", "a,b", `"a,b",c`, `"a`, `a"b`,
		"\x00", "",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if n, err := Bytes(value); err == nil && (n < 1 || n > 1<<40) {
			t.Errorf("%q is %d bytes", value, n)
		}
		if n, err := ParsePort(value); err == nil && (n < 0 || n > 65535) {
			t.Errorf("%q is the port %d", value, n)
		}
		var l CSV
		if err := l.Set(value); err == nil {
			if len(l.Fields) == 0 {
				return
			}
			quoted := make([]string, 0, len(l.Fields))
			for _, field := range l.Fields {
				quoted = append(quoted, `"`+strings.ReplaceAll(field, `"`, `""`)+`"`)
			}
			again, err := csv.NewReader(strings.NewReader(strings.Join(quoted, ","))).Read()
			if err != nil || !slices.Equal(again, l.Fields) {
				t.Errorf("%q is %q, and written again %q, %v", value, l.Fields, again, err)
			}
		}
	})
}
