package when

import (
	"fmt"
	"strings"
	"time"
)

// A scheduleError says why a schedule is refused. helpSchedule suggests a correction.
type scheduleError struct {
	fault  scheduleFault
	prefix string // what precedes the part, if that is the six fields: a zone and blanks
	part   string // the part of the schedule that is refused
	reason string // in the words of Dapr if Dapr refuses it, too
}

// A scheduleFault is what is wrong with a schedule.
type scheduleFault uint8

const (
	emptySchedule     scheduleFault = iota
	onlyZone                        // no schedule follows the zone
	unknownZone                     // the part is its name
	intervalInZone                  // the part is the interval, with @every
	invalidInterval                 // the part is what follows @every
	negativeInterval                // the part is the interval, with @every
	unknownDescriptor               // the part begins with @
	invalidFields                   // the part is not six valid fields
	impossibleDate                  // no month has the days
)

// newScheduleError returns an error about a part of a schedule.
func newScheduleError(fault scheduleFault, part, format string, args ...any) *scheduleError {
	return &scheduleError{fault: fault, part: part, reason: fmt.Sprintf(format, args...)}
}

// parseSchedule reads a schedule as [ParseRule] does, and returns intervals shorter than MinInterval
// as they are. The error is nil if the schedule is valid.
func parseSchedule(s string) (Rule, *scheduleError) {
	if s == "" {
		return Rule{}, newScheduleError(emptySchedule, s, "empty spec string")
	}
	zone, rest, bad := cutZone(s)
	if bad != nil {
		return Rule{}, bad
	}
	if text, ok := strings.CutPrefix(rest, "@every "); ok {
		if len(rest) != len(s) {
			return Rule{}, newScheduleError(intervalInZone, rest, "timezone is not supported for @every schedules: %s", s)
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return Rule{}, newScheduleError(invalidInterval, text, "failed to parse duration %s: %v", rest, err)
		}
		if d < 0 {
			return Rule{}, newScheduleError(negativeInterval, rest, "interval of %s is negative: it must be positive", rest)
		}
		return Every(d), nil
	}
	fields := rest
	if strings.HasPrefix(rest, "@") {
		if fields = descriptorFields(rest); fields == "" {
			return Rule{}, newScheduleError(unknownDescriptor, rest, "unrecognized descriptor: %s", rest)
		}
	}
	c, err := parseFields(fields)
	if err != nil {
		bad := newScheduleError(invalidFields, fields, "%v", err)
		bad.prefix, _, _ = strings.Cut(s, rest)
		return Rule{}, bad
	}
	if c.impossible() {
		return Rule{}, newScheduleError(impossibleDate, fields, "schedule %s is never due: none of its months has any of its days", s)
	}
	c.zone = zone
	return Rule{calendar: c}, nil
}

// cutZone returns the zone of a schedule, nil for UTC, and the rest.
func cutZone(s string) (zone *time.Location, rest string, bad *scheduleError) {
	name, prefixed := strings.CutPrefix(s, "TZ=")
	if !prefixed {
		if name, prefixed = strings.CutPrefix(s, "CRON_TZ="); !prefixed {
			return nil, s, nil
		}
	}
	name, rest, _ = strings.Cut(name, " ")
	if rest = strings.TrimSpace(rest); rest == "" {
		return nil, "", newScheduleError(onlyZone, s, "timezone prefix %s is not followed by a schedule", s)
	}
	if name == "" || name == "Local" {
		return nil, rest, nil
	}
	zone, err := zones.load(name)
	if err != nil {
		return nil, "", newScheduleError(unknownZone, name, "provided bad location %s: unknown time zone %s", name, name)
	}
	return zone, rest, nil
}

// descriptorFields returns the fields of a descriptor, or "" if it is unknown.
func descriptorFields(name string) string {
	switch name {
	case "@yearly", "@annually":
		return "0 0 0 1 1 *"
	case "@monthly":
		return "0 0 0 1 * *"
	case "@weekly":
		return "0 0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 0 * * *"
	case "@hourly":
		return "0 0 * * * *"
	}
	return ""
}
