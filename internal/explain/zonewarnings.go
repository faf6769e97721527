package explain

import (
	_ "embed" // the other names of zones
	"fmt"
	"strings"
	"time"

	"carillon/internal/when"
)

// zoneAliases has the names of the IANA time zone database that only link to another zone and belong
// to no country's list of zones, each with that zone, one on a line.
//
//go:embed zonealiases.txt
var zoneAliases string

// zoneWarnings returns a warning about a zone whose name is misleading or outdated.
func zoneWarnings(zone *time.Location, now time.Time) []Warning {
	name := zone.String()
	to := aliasOf(name)
	var text string
	switch {
	case name == "UTC" || to == "Etc/UTC":
		return nil
	case to == "Etc/GMT":
		text = fmt.Sprintf("the zone %s is UTC in summer, too: for the clock of London, write Europe/London", name)
	case to != "":
		text = fmt.Sprintf("the zone %s is another name of %s: write that", name, to)
	case strings.HasPrefix(name, "Etc/GMT+") || strings.HasPrefix(name, "Etc/GMT-"):
		text = fmt.Sprintf("the sign in %s is inverted: it is UTC%s", name, now.In(zone).Format("-07:00"))
	case !strings.Contains(name, "/"):
		text = fmt.Sprintf("the zone %s is an abbreviation, %s: name a city, such as Europe/Berlin", name, offsets(zone, now))
	default:
		return nil
	}
	return []Warning{{UnusualZoneName, text}}
}

// aliasOf returns the zone that a name links to; empty if it links to none.
func aliasOf(name string) string {
	for line := range strings.Lines(zoneAliases) {
		if alias, to, _ := strings.Cut(strings.TrimSpace(line), " "); alias == name {
			return to
		}
	}
	return ""
}

// offsets says which offsets a zone has in the coming year.
func offsets(zone *time.Location, now time.Time) string {
	text := "UTC" + now.In(zone).Format("-07:00")
	c, ok := when.NextClockChange(zone, now, now.AddDate(1, 0, 0))
	if !ok {
		return text + " all year"
	}
	return fmt.Sprintf("%s and UTC%s by turns", text, c.At.In(zone).Format("-07:00"))
}
