package when

import (
	"regexp"
	"strings"
	"time"
)

var (
	days     = regexp.MustCompile(`^(\d{1,9})d$`)
	unitless = regexp.MustCompile(`^[-+]?(?:.*\d(h|m))?[\d.]+$`)
)

// nearInterval returns the Go duration that text probably means.
func nearInterval(text string) (string, bool) {
	if len(text) > maxHelped {
		return "", false
	}
	near := strings.ToLower(strings.Join(strings.Fields(text), ""))
	if m := unitless.FindStringSubmatch(near); m != nil {
		switch m[1] {
		case "h":
			near += "m"
		default:
			near += "s"
		}
	}
	if _, err := time.ParseDuration(near); err == nil && near != text {
		return near, true
	}
	return goDuration(strings.ToUpper(text))
}

// goDuration returns the Go duration of an ISO 8601 duration, if that has a fixed length.
func goDuration(text string) (string, bool) {
	const most = 100 * 366 * 24 * 60 * 60 // seconds; a Go duration can represent them
	d, err := parseISODuration(text)
	if err != nil || d.years != 0 || d.months != 0 || d.ignored != "" || d.days < 0 || d.days > most/86400 || d.seconds < 0 || d.seconds > most {
		return "", false
	}
	every := time.Duration(d.seconds)*time.Second + time.Duration(d.days)*24*time.Hour
	return every.String(), every > 0
}
