package when

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	howToRecur = `give six fields with the seconds first, such as "0 30 9 * * MON-FRI", or an interval such as "@every 5m", or "@daily"`
	howToWait  = "give an interval such as 30s, 5m or 1h30m; a day is 24h"
)

// helpSchedule suggests how to correct a schedule that is refused; empty if the reason says it.
func helpSchedule(e *scheduleError) string {
	switch e.fault {
	case emptySchedule:
		return howToRecur
	case onlyZone:
		return `put six fields behind it, as in "TZ=Europe/Berlin 0 0 6 * * *"`
	case unknownZone:
		return helpZone(e.part)
	case intervalInZone:
		return "an interval is the same in every zone: " + helpLine(e.part, "leave the zone out")
	case invalidInterval:
		return helpInterval(e.part)
	case unknownDescriptor:
		return helpDescriptor(e.part)
	case invalidFields:
		return helpFields(e.prefix, e.part)
	case impossibleDate:
		return "correct fields 4 and 5, the day and the month"
	case negativeInterval:
	}
	return ""
}

// helpFields suggests how to correct a text that is not six valid fields. prefix is the zone before
// them, if any.
func helpFields(prefix, text string) string {
	if len(text) > maxHelped {
		return howToRecur
	}
	texts := strings.Fields(text)
	if zone, rest, ok := strayZone(texts); ok && prefix == "" {
		return "a time zone goes first, behind TZ=: " + helpLine("TZ="+zone+" "+sixFields(rest), "put TZ="+zone+" there")
	}
	switch len(texts) {
	case 1:
		return helpWord(texts[0])
	case 5:
		return "five fields are those of a crontab; here, seconds come first: " + helpLine(prefix+sixFields(texts), "put a 0 there")
	case 6:
		for i, f := range calendarFields() {
			if _, _, err := f.parse(texts[i]); err != nil {
				return f.help(i, texts[i])
			}
		}
	case 7:
		if year.MatchString(texts[6]) {
			return "there is no field for years, but a ttl to end it: " + helpLine(prefix+strings.Join(texts[:6], " "), "leave it out")
		}
	}
	return howToRecur
}

var year = regexp.MustCompile(`^(\*|\?|(19|20)\d\d.*)$`)

// helpLine suggests a schedule. If that is invalid as well, it says what to do, and what else is
// wrong.
func helpLine(schedule, do string) string {
	if why := refusal(schedule); why != "" {
		return do + "; and " + why
	}
	return fmt.Sprintf("write %q", schedule)
}

// refusal returns why a schedule without repeats is refused: the help, or else the reason. It is
// empty if the schedule is accepted.
func refusal(schedule string) string {
	rule, bad := parseSchedule(schedule)
	if bad != nil {
		return cmp.Or(helpSchedule(bad), bad.reason)
	}
	err := rule.checkFrequency(schedule, 0)
	if err == nil {
		_, err = rule.firstAfter(schedule, time.Time{})
	}
	if err != nil {
		return err.Reason
	}
	return ""
}

// helpWord suggests how to correct a schedule of one word.
func helpWord(word string) string {
	if strings.HasPrefix(word, "@") {
		return helpDescriptor(word)
	}
	if d, err := time.ParseDuration(word); err == nil && d > 0 {
		return "an interval begins with @every: " + helpLine("@every "+word, "begin with that")
	}
	if every, ok := goDuration(word); ok {
		return "an interval begins with @every: " + helpLine("@every "+every, howToWait)
	}
	if _, err := time.Parse(time.RFC3339, word); err == nil {
		return fmt.Sprintf("an instant is a due time: give %q as dueTime", word)
	}
	if descriptorFields("@"+strings.ToLower(word)) != "" {
		return fmt.Sprintf("write %q", "@"+strings.ToLower(word))
	}
	return howToRecur
}

// helpDescriptor suggests how to correct a text that begins with @ and is no descriptor.
func helpDescriptor(text string) string {
	const known = "@hourly, @daily, @weekly, @monthly, @yearly and @every"
	lower := strings.ToLower(strings.Join(strings.Fields(text), " "))
	if d, ok := strings.CutPrefix(lower, "@every"); ok {
		if _, err := time.ParseDuration(strings.TrimSpace(d)); err == nil {
			return helpLine("@every "+strings.TrimSpace(d), "begin with @every and a blank")
		}
		return `an interval such as 5m follows it, as in "@every 5m"`
	}
	if descriptorFields(lower) != "" {
		return fmt.Sprintf("write %q", lower)
	}
	return "those that there are: " + known
}

// helpInterval suggests how to correct the text after @every.
func helpInterval(text string) string {
	if m := days.FindStringSubmatch(text); m != nil {
		if d, err := time.ParseDuration(m[1] + "h"); err == nil && d < 100*24*time.Hour {
			return "there is no unit of days: " + helpLine(fmt.Sprintf("@every %dh", 24*int(d.Hours())), howToWait)
		}
	}
	if near, ok := nearInterval(text); ok {
		return helpLine("@every "+near, howToWait)
	}
	return howToWait
}
