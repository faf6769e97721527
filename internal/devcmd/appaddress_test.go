package devcmd

import (
	"strings"
	"testing"
)

// FuzzAppAddress checks that no value of --app makes its parser panic, and that an accepted one is complete.
func FuzzAppAddress(f *testing.F) {
	for _, value := range []string{
		"orders=http://127.0.0.1:6000", "=http://a:1", "a=grpc://[::1]:1/", "a=http://a:1?x", "a.b=http://a:1", "a=http://%zz:1", "\x00", "",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if a, err := parseApp(value); err == nil {
			id, _, _ := strings.Cut(value, "=")
			if a.ID != id || a.Address == "" || a.Protocol == "" {
				t.Errorf("%q is the app %+v", value, a)
			}
		}
	})
}
