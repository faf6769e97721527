package when

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// This file says how to put wrong words right. It runs after words were refused, and never decides whether they are.

const (
	howToRecur = `give six fields with the seconds first, such as "0 30 9 * * MON-FRI", or an interval such as "@every 5m", or "@daily"`
	howToWait  = "give an interval such as 30s, 5m or 1h30m; a day is 24h"
	// maxHelped is how many bytes a text may have to be corrected; nobody has written a longer one by hand.
	maxHelped = 100
)

// quote returns s in quotes, cut off where it is long.
func quote(s string) string { return fmt.Sprintf("%.100q", s) }

// helpFields says how to put right what is no six fields. prefix is the zone that goes before them, if any.
func helpFields(prefix, text string) string {
	if len(text) > maxHelped {
		return howToRecur
	}
	texts := strings.Fields(text)
	if zone, rest, ok := strayZone(texts); ok {
		return fmt.Sprintf("a time zone goes first, behind TZ=: write %q", "TZ="+zone+" "+six(rest))
	}
	switch len(texts) {
	case 1:
		return helpWord(texts[0])
	case 5:
		return fmt.Sprintf("five fields are those of a crontab; here, seconds come first: write %q", prefix+six(texts)) + helpMore(six(texts))
	case 6:
		for i, f := range calendarFields() {
			if _, _, err := f.parse(texts[i]); err != nil {
				return f.help(i, texts[i])
			}
		}
	case 7:
		if year.MatchString(texts[6]) {
			return fmt.Sprintf("there is no field for years: write %q, and end it with a ttl", prefix+strings.Join(texts[:6], " "))
		}
	}
	return howToRecur
}

var year = regexp.MustCompile(`^(\*|\?|(19|20)\d\d.*)$`)

// six returns fields as one text. Five are those of a crontab, without the seconds, and with a 7 for Sundays.
func six(texts []string) string {
	if len(texts) == 5 {
		texts = append([]string{"0"}, texts...)
		if texts[5] == "7" {
			texts[5] = "0"
		}
	}
	return strings.Join(texts, " ")
}

// helpMore says what else is wrong in six fields, or nothing.
func helpMore(text string) string {
	if _, err := parseFields(text); err != nil {
		return "; and " + helpFields("", text)
	}
	return ""
}

// strayZone returns the zone that is among fields, first or last, and the fields.
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

// helpWord says how to put right a schedule that is a single word.
func helpWord(word string) string {
	if strings.HasPrefix(word, "@") {
		return helpDescriptor(word)
	}
	if d, err := time.ParseDuration(word); err == nil && d > 0 {
		return fmt.Sprintf("an interval is written %q", "@every "+word)
	}
	if d, err := parseSpan(word); err == nil && d.years == 0 && d.months == 0 && d.ignored == "" {
		if every := time.Duration(d.seconds)*time.Second + time.Duration(d.days)*24*time.Hour; every > 0 {
			return fmt.Sprintf("an interval is written %q", "@every "+every.String())
		}
	}
	if _, err := time.Parse(time.RFC3339, word); err == nil {
		return fmt.Sprintf("an instant is a due time: give %q as dueTime", word)
	}
	if described("@"+strings.ToLower(word)) != "" {
		return fmt.Sprintf("write %q", "@"+strings.ToLower(word))
	}
	return howToRecur
}

// helpDescriptor says how to put right what begins with @ and is no descriptor.
func helpDescriptor(text string) string {
	const known = "@hourly, @daily, @weekly, @monthly, @yearly and @every"
	lower := strings.ToLower(strings.Join(strings.Fields(text), " "))
	if d, ok := strings.CutPrefix(lower, "@every"); ok {
		if _, err := time.ParseDuration(strings.TrimSpace(d)); err == nil {
			return fmt.Sprintf("write %q", "@every "+strings.TrimSpace(d))
		}
		return `an interval such as 5m follows it, as in "@every 5m"`
	}
	if described(lower) != "" {
		return fmt.Sprintf("write %q", lower)
	}
	return "those that there are: " + known
}

// helpInterval says how to put right what follows @every.
func helpInterval(text string) string {
	if m := days.FindStringSubmatch(text); m != nil {
		if d, err := time.ParseDuration(m[1] + "h"); err == nil && d < 100*24*time.Hour {
			return fmt.Sprintf("there is no unit of days: write %q", fmt.Sprintf("@every %dh", 24*int(d.Hours())))
		}
	}
	if near, ok := nearInterval(text); ok {
		return fmt.Sprintf("write %q", "@every "+near)
	}
	return howToWait
}

var days = regexp.MustCompile(`^(\d{1,9})d$`)

// nearInterval returns the Go duration that text is likely to mean.
func nearInterval(text string) (string, bool) {
	for _, near := range []string{strings.ToLower(strings.Join(strings.Fields(text), "")), text + "s"} {
		if _, err := time.ParseDuration(near); err == nil && near != text {
			return near, true
		}
	}
	if d, err := parseSpan(strings.ToUpper(text)); err == nil && d.years == 0 && d.months == 0 && d.ignored == "" {
		if every := time.Duration(d.seconds)*time.Second + time.Duration(d.days)*24*time.Hour; every > 0 {
			return every.String(), true
		}
	}
	return "", false
}

// help says what the field, the one at that index, takes in the place of text.
func (f field) help(index int, text string) string {
	takes := fmt.Sprintf("numbers from %d to %d", f.least, f.most)
	if f.names != "" {
		takes += fmt.Sprintf(" or %s to %s", strings.ToUpper(f.names[:3]), strings.ToUpper(f.names[len(f.names)-3:]))
	}
	help := fmt.Sprintf("field %d, the %s, is %s, and takes *, %s, lists as in 1,2, ranges as in 1-5, and steps as in */2", index+1, f.name, quote(text), takes)
	switch {
	case text == "7" && f.names != "" && f.least == 0:
		help += "; Sunday is 0 or SUN"
	case special.MatchString(text):
		help += "; L, W and # are not supported"
	case strings.Contains(text, "-"):
		help += "; a range goes upwards: write two, as in 5-6,0-1"
	case f.names != "":
		for i := 0; i < len(f.names); i += 3 {
			if name := f.names[i : i+3]; len(text) > 3 && strings.HasPrefix(strings.ToLower(text), name) {
				return help + "; a name has three letters: write " + strings.ToUpper(name)
			}
		}
	}
	return help
}

var special = regexp.MustCompile(`^(\d*[LW]|LW|\w+#\d)$`)

// helpMoment says how to put right a due time or a ttl, which the user has called name.
func helpMoment(name, text string) string {
	general := fmt.Sprintf("%s %s is neither an instant such as 2026-12-24T18:00:00Z nor a duration such as 30s, 1h30m or P1DT2H", name, quote(text))
	if len(text) > maxHelped {
		return general
	}
	trimmed := strings.TrimSpace(text)
	for _, near := range []string{trimmed, strings.ToUpper(trimmed), strings.Replace(trimmed, " ", "T", 1)} {
		if _, err := parseMoment(near, time.Time{}); err == nil && near != text {
			return fmt.Sprintf("%s %s is likely to mean %q: write that", name, quote(text), near)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, trimmed); err == nil {
			return fmt.Sprintf("%s %s has no time zone, or only a part of the time: write %q, or +02:00 in the place of Z", name, quote(text), t.Format(time.RFC3339))
		}
	}
	if m := days.FindStringSubmatch(trimmed); m != nil {
		return fmt.Sprintf("%s %s: there is no unit of days there; write %q", name, quote(text), "P"+m[1]+"D")
	}
	if near, ok := nearInterval(trimmed); ok {
		return fmt.Sprintf("%s %s is likely to mean %q: write that", name, quote(text), near)
	}
	if isSchedule(trimmed) {
		return fmt.Sprintf("%s %s is a schedule: give it as schedule", name, quote(text))
	}
	return general
}

func isSchedule(text string) bool {
	_, err := parseRule(text)
	_, five := parseRule("0 " + text)
	return err == nil || five == nil
}

// helpRepeats says how to write the ISO 8601 repetition that is no due time.
func helpRepeats(text string) string {
	if count, rest, ok := strings.Cut(strings.TrimPrefix(text, "R"), "/"); ok && len(text) <= maxHelped {
		if every, ok := nearInterval(rest); ok {
			return fmt.Sprintf("dueTime %s asks for it: give schedule %q and repeats %s", quote(text), "@every "+every, count)
		}
	}
	return fmt.Sprintf("dueTime %s asks for it: give a schedule such as %q, and how often as repeats", quote(text), "@every 5m")
}
