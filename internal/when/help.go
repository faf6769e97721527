package when

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	howToRecur = `give six fields with the seconds first, such as "0 30 9 * * MON-FRI", or an interval such as "@every 5m", or "@daily"`
	howToWait  = "give an interval such as 30s, 5m or 1h30m; a day is 24h"
	// maxHelped is how many bytes a text may have to be corrected; people do not write longer ones
	// by hand.
	maxHelped = 100
)

// quote returns s in quotes, cut off where it is long.
func quote(s string) string { return fmt.Sprintf("%.100q", s) }

// The functions of this file suggest how to correct a text that was refused. They never decide
// whether it is.

// helpFields suggests how to correct a text that is not six valid fields. prefix is the zone before
// them, if any.
func helpFields(prefix, text string) string {
	if len(text) > maxHelped {
		return howToRecur
	}
	texts := strings.Fields(text)
	if zone, rest, ok := strayZone(texts); ok && prefix == "" {
		return "a time zone goes first, behind TZ=: " + helpLine("TZ="+zone+" "+six(rest), "put TZ="+zone+" there")
	}
	switch len(texts) {
	case 1:
		return helpWord(texts[0])
	case 5:
		return "five fields are those of a crontab; here, seconds come first: " + helpLine(prefix+six(texts), "put a 0 there")
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
	if e := refusal(schedule); e != nil {
		return do + "; and " + cmp.Or(e.Help, e.Reason)
	}
	return fmt.Sprintf("write %q", schedule)
}

// refusal returns the error of a schedule, or nil.
func refusal(schedule string) *Error {
	_, err := Words{Schedule: &schedule}.Resolve(time.Time{})
	e, _ := errors.AsType[*Error](err)
	return e
}

// six returns fields as one text. Five fields are those of a crontab, without seconds, in which
// Sunday may be 7.
func six(texts []string) string {
	if len(texts) == 5 {
		texts = append([]string{"0"}, texts...)
		texts[5] = sundays(texts[5])
	}
	return strings.Join(texts, " ")
}

// sundays returns the days of the week of a crontab, in which Sunday may be 7 or last, with Sunday
// as 0.
func sundays(list string) string {
	var all []string
	for item := range strings.SplitSeq(list, ",") {
		bounds, stepText, stepped := strings.Cut(item, "/")
		low, high, ranged := strings.Cut(bounds, "-")
		from, err := calendarFields()[5].value(low)
		step := 1
		if stepped && err == nil {
			step, err = number(stepText)
		}
		switch {
		case err != nil || step == 0:
		case item == "7" || from == 7 && high == "7":
			item = "0"
		case !ranged || from > 6 || high != "7" && (from == 0 || !strings.EqualFold(high, "sun")):
		case from < 2 && step == 1:
			item = "*"
		default:
			item = low + "-6" + strings.TrimPrefix(item, bounds)
			if (7-from)%step == 0 {
				item += ",0"
			}
		}
		all = append(all, item)
	}
	return strings.Join(all, ",")
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

// help says what the field at this index accepts in place of text.
func (f field) help(index int, text string) string {
	takes := fmt.Sprintf("numbers from %d to %d", f.least, f.most)
	if f.names != "" {
		takes += fmt.Sprintf(" or %s to %s", strings.ToUpper(f.names[:3]), strings.ToUpper(f.names[len(f.names)-3:]))
	}
	help := fmt.Sprintf("field %d, the %s, is %s, and takes *, %s, lists as in 1,2, ranges as in 1-5, and steps as in */2", index+1, f.name, quote(text), takes)
	switch {
	case f.reversed(text) != "":
		help += "; a range goes upwards: write " + f.reversed(text) + " in its place"
	case f.names != "" && f.least == 0 && text != sundays(text):
		help += "; Sunday is 0 or SUN"
	case special.MatchString(text):
		help += "; L, W and # are not supported"
	case f.names != "":
		near := longName.ReplaceAllStringFunc(text, func(name string) string { return strings.ToUpper(name[:3]) })
		if _, _, err := f.parse(near); err == nil {
			help += "; a name has three letters: write " + near
		}
	}
	return help
}

var longName = regexp.MustCompile(`[A-Za-z]{4,}`)

// reversed returns two ranges for the first descending range in a list; empty if there is none.
func (f field) reversed(list string) string {
	for item := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(item, "-")
		from, err := f.value(low)
		to, errTo := f.value(high)
		if ranged && err == nil && errTo == nil && f.least <= to && to < from && from <= f.most {
			return fmt.Sprintf("%d-%d,%d-%d", from, f.most, f.least, to)
		}
	}
	return ""
}

var special = regexp.MustCompile(`^(\d*[LW]|LW|\w+#\d)$`)

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

func isSchedule(text string) bool {
	_, err := parseRule(text)
	_, five := parseRule("0 " + text)
	return err == nil || five == nil
}

// helpRepeats suggests a schedule for an ISO 8601 repetition, which is no due time.
func helpRepeats(text string) string {
	if count, rest, ok := strings.Cut(strings.TrimPrefix(text, "R"), "/"); ok && len(text) <= maxHelped {
		n, err := strconv.ParseUint(count, 10, 32)
		if every, ok := nearInterval(rest); ok && err == nil && refusal("@every "+every) == nil {
			return fmt.Sprintf("dueTime %s asks for it: give schedule %q and repeats %d", quote(text), "@every "+every, n)
		}
	}
	return fmt.Sprintf("dueTime %s asks for it: give a schedule such as %q, and how often as repeats", quote(text), "@every 5m")
}
