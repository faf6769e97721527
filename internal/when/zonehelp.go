package when

import (
	_ "embed" // the names of zones
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// zoneNames has the names of the IANA time zone database, one on a line, of the release of Go's
// zone data. They are only for suggestions.
//
//go:embed zonenames.txt
var zoneNames string

// maxZoneName is how many bytes a name may have to be compared.
const maxZoneName = 40

// nearestZone returns the name of the zone that name probably means, if it differs in case, omits
// the region, or has a typing error. It corrects no typing errors in short names: too many zones
// are near them.
func nearestZone(name string) (near string, ok bool) {
	if len(name) > maxZoneName {
		return "", false
	}
	word := strings.ReplaceAll(strings.ToLower(name), " ", "_")
	least := 1 + len(word)/6 // the largest edit distance
	for zone := range strings.Lines(zoneNames) {
		zone = strings.TrimSuffix(zone, "\n")
		lower := strings.ToLower(zone)
		_, city, _ := strings.Cut(lower, "/")
		switch {
		case lower == word:
			return zone, true
		case city == word && city != "":
			near, ok, least = zone, true, -1 // only the whole name is nearer
		}
		if len(word) < 6 || least < 0 {
			continue
		}
		for _, candidate := range []string{lower, city} {
			if abs(len(candidate)-len(word)) > least {
				continue // the edit distance is larger
			}
			if d := levenshtein.ComputeDistance(word, candidate); d < least || d == least && !ok {
				near, ok, least = zone, true, d
			}
		}
	}
	return near, ok
}

func abs(n int) int { return max(n, -n) }

// helpZone suggests a zone for an unknown one.
func helpZone(name string) string {
	if near, ok := nearestZone(name); ok && near != name {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "zones have the names of the IANA time zone database, such as Europe/Berlin, America/New_York or UTC"
}

// strayZone returns a zone that is the first or the last field, and the other fields.
func strayZone(texts []string) (zone string, rest []string, ok bool) {
	if len(texts) < 6 {
		return "", nil, false
	}
	last := len(texts) - 1
	for _, c := range []struct {
		zone string
		rest []string
	}{{texts[last], texts[:last]}, {texts[0], texts[1:]}} {
		name := strings.TrimPrefix(strings.TrimPrefix(c.zone, "CRON_"), "TZ=")
		if near, ok := nearestZone(name); ok && strings.ContainsFunc(name, isLetter) {
			return near, c.rest, true
		}
	}
	return "", nil, false
}

func isLetter(r rune) bool { return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' }
