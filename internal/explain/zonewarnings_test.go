package explain_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The zones of the list that are called another name have the same clock from now on.
func TestAliasHasTheClockOfItsZone(t *testing.T) {
	list, err := os.ReadFile("zonealiases.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(list)), "\n")
	if len(lines) < 100 {
		t.Errorf("only %d aliases", len(lines))
	}
	for _, line := range lines {
		name, to, _ := strings.Cut(line, " ")
		alias, err := time.LoadLocation(name)
		if err != nil {
			t.Error(err)
			continue
		}
		zone, err := time.LoadLocation(to)
		if err != nil {
			t.Error(err)
			continue
		}
		for at := now; at.Before(now.AddDate(3, 0, 0)); at = at.Add(12 * time.Hour) {
			if got, want := offset(at, alias), offset(at, zone); got != want {
				t.Errorf("%s is %d s from UTC at %v, %s %d s", name, got, at, to, want)
				break
			}
		}
	}
}
