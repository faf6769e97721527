package when

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// helpInstant suggests how to correct a due time or a ttl, which has that name in the API of the
// user.
func helpInstant(name, text string, base time.Time) string {
	general := fmt.Sprintf("%s %s is neither an instant such as 2026-12-24T18:00:00Z nor a duration such as 30s, 1h30m or P1DT2H", name, quote(text))
	if len(text) > maxHelped {
		return general
	}
	trimmed := strings.TrimSpace(text)
	for _, near := range []string{trimmed, strings.ToUpper(trimmed), strings.Replace(trimmed, " ", "T", 1)} {
		if near != text && clearInstant(near, base) {
			return fmt.Sprintf("%s %s is likely to mean %q: write that", name, quote(text), near)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, trimmed); err == nil {
			return fmt.Sprintf("%s %s has no time zone, or only a part of the time: write %q, or +02:00 in the place of Z", name, quote(text), t.Format(time.RFC3339))
		}
	}
	if m := days.FindStringSubmatch(trimmed); m != nil && clearInstant("P"+m[1]+"D", base) {
		return fmt.Sprintf("%s %s: there is no unit of days there; write %q", name, quote(text), "P"+m[1]+"D")
	}
	if near, ok := nearInterval(trimmed); ok && clearInstant(near, base) {
		return fmt.Sprintf("%s %s is likely to mean %q: write that", name, quote(text), near)
	}
	if isSchedule(trimmed) {
		return fmt.Sprintf("%s %s is a schedule: give it as schedule", name, quote(text))
	}
	return general
}

// clearInstant reports whether text is a due time or a ttl without a warning.
func clearInstant(text string, base time.Time) bool {
	t, err := parseInstant(text, base)
	_, suspicious := warnDuration(&text, "", "", "")
	return err == nil && mayBeDue(text, t) && !suspicious
}

// isSchedule reports whether text is a schedule, or one without seconds.
func isSchedule(text string) bool {
	_, bad := parseSchedule(text)
	_, badAfterSeconds := parseSchedule("0 " + text)
	return bad == nil || badAfterSeconds == nil
}

// helpRepeats suggests a schedule for an ISO 8601 repetition, which is no due time.
func helpRepeats(text string) string {
	if count, rest, ok := strings.Cut(strings.TrimPrefix(text, "R"), "/"); ok && len(text) <= maxHelped {
		n, err := strconv.ParseUint(count, 10, 32)
		if every, ok := nearInterval(rest); ok && err == nil && refusal("@every "+every) == "" {
			return fmt.Sprintf("dueTime %s asks for it: give schedule %q and repeats %d", quote(text), "@every "+every, n)
		}
	}
	return fmt.Sprintf("dueTime %s asks for it: give a schedule such as %q, and how often as repeats", quote(text), "@every 5m")
}
