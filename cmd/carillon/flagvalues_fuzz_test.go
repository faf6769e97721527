package main

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
		"orders=http://127.0.0.1:6000", "=http://a:1", "a=grpc://[::1]:1/", "a=http://a:1?x", "a.b=http://a:1", "a=http://%zz:1", "\x00", "",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if n, err := bytesOf(value); err == nil && (n < 1 || n > 1<<40) {
			t.Errorf("%q is %d bytes", value, n)
		}
		if n, err := parsePort(value); err == nil && (n < 0 || n > 65535) {
			t.Errorf("%q is the port %d", value, n)
		}
		if a, err := parseApp(value); err == nil {
			id, _, _ := strings.Cut(value, "=")
			if a.ID != id || a.Address == "" || a.Protocol == "" {
				t.Errorf("%q is the app %+v", value, a)
			}
		}
		var l csvList
		if err := l.Set(value); err == nil {
			if len(l.fields) == 0 {
				return
			}
			quoted := make([]string, 0, len(l.fields))
			for _, field := range l.fields {
				quoted = append(quoted, `"`+strings.ReplaceAll(field, `"`, `""`)+`"`)
			}
			again, err := csv.NewReader(strings.NewReader(strings.Join(quoted, ","))).Read()
			if err != nil || !slices.Equal(again, l.fields) {
				t.Errorf("%q is %q, and written again %q, %v", value, l.fields, again, err)
			}
		}
	})
}
