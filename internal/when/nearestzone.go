package when

import (
	_ "embed" // the names of zones
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// zoneNames are those of the IANA time zone database, a line each, as of the release that Go's zone data is of. Loading a
// zone does not need them.
//
//go:embed zonenames.txt
var zoneNames string

// maxZoneName bounds what is compared with the names.
const maxZoneName = 40

// nearestZone returns the name of a zone, as it is written, that name is or is likely to mean: one that differs in case,
// leaves out the region, or has a typing error. Short names have none: too many zones are near them.
func nearestZone(name string) (near string, ok bool) {
	if len(name) > maxZoneName {
		return "", false
	}
	word := strings.ReplaceAll(strings.ToLower(name), " ", "_")
	least := 1 + len(word)/6 // so much may differ
	for zone := range strings.Lines(zoneNames) {
		zone = strings.TrimSuffix(zone, "\n")
		lower := strings.ToLower(zone)
		_, city, _ := strings.Cut(lower, "/")
		switch {
		case lower == word:
			return zone, true
		case city == word && city != "":
			near, ok, least = zone, true, -1 // nothing is nearer, but for the whole name
		}
		if len(word) < 6 || least < 0 {
			continue
		}
		for _, candidate := range []string{lower, city} {
			if abs(len(candidate)-len(word)) > least {
				continue // they differ in more than that
			}
			if d := levenshtein.ComputeDistance(word, candidate); d < least || d == least && !ok {
				near, ok, least = zone, true, d
			}
		}
	}
	return near, ok
}

func abs(n int) int { return max(n, -n) }

// helpZone says how to put right a zone that is unknown.
func helpZone(name string) string {
	if near, ok := nearestZone(name); ok && near != name {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "zones have the names of the IANA time zone database, such as Europe/Berlin, America/New_York or UTC"
}
