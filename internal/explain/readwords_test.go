package explain_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"carillon/internal/when"
)

var (
	interval   = regexp.MustCompile(`^every( \d+ (h|min|s|ms|us|ns))+$`)
	dateFirst  = regexp.MustCompile(`^(on |every (day|weekday|[A-Z]))`)
	steps      = regexp.MustCompile(`^every (\d+ )?(second|minute)s?( by the clock| from (\S+) to (\S+))?$`)
	spanOfUnit = regexp.MustCompile(`^every (?:(\d+)(?:st|nd|rd|th) )?([a-z]+) from (\d+) to (\d+)$`)
)

// readWords reads the words of a rule as a person does, without its due time, repeats and end. It
// shares nothing with the package.
func readWords(text string) (*meaning, error) {
	if expression, ok := strings.CutPrefix(text, "custom: "); ok {
		rule, err := when.ParseRule(expression)
		if err != nil {
			return nil, err
		}
		return meaningOf(rule), nil
	}
	if text == "at the same instant again" {
		return &meaning{interval: true}, nil
	}
	if d, ok := readInterval(text); ok {
		return &meaning{interval: true, every: d}, nil
	}
	i := strings.LastIndex(text, ", ")
	if i < 0 {
		return nil, fmt.Errorf("no zone in %q", text)
	}
	m := meaning{zone: text[i+2:]}
	dateText, clockText := splitDate(text[:i])
	if err := m.clock.read(clockText); err != nil {
		return nil, err
	}
	return &m, m.dates.read(dateText)
}

// readInterval reads "every 1 h 30 min".
func readInterval(text string) (time.Duration, bool) {
	if !interval.MatchString(text) {
		return 0, false
	}
	text = strings.NewReplacer("every", "", " ", "", "min", "m").Replace(text)
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// splitDate splits words into those about the date and those about the time of day.
func splitDate(text string) (date, clock string) {
	if dateFirst.MatchString(text) {
		i := strings.LastIndex(text, " at ")
		return text[:i], text[i+1:]
	}
	for i := range text {
		if strings.HasPrefix(text[i:], " on ") || strings.HasPrefix(text[i:], " in ") {
			return text[i+1:], text[:i]
		}
	}
	return "every day", text
}

// read reads times of day.
func (c *clock) read(text string) error {
	if times, ok := strings.CutPrefix(text, "at "); ok && strings.Contains(times, ":") {
		for _, item := range readList(times) {
			second, err := secondOfDay(item)
			if err != nil {
				return err
			}
			c.set(second)
		}
		return nil
	}
	if m := steps.FindStringSubmatch(text); m != nil {
		return c.readSteps(m[1], m[2], m[4], m[5])
	}
	return c.readFields(strings.TrimPrefix(text, "at "))
}

// readSteps sets times at one distance, from the first to the last one.
func (c *clock) readSteps(count, unit, first, last string) (err error) {
	from, to, step := 0, 24*3600-1, 1
	if first != "" {
		if from, err = secondOfDay(first); err != nil {
			return err
		}
		if to, err = secondOfDay(last); err != nil {
			return err
		}
	}
	if count != "" {
		if step, err = strconv.Atoi(strings.TrimSpace(count)); err != nil {
			return err
		}
	}
	if unit == "minute" {
		step *= 60
	}
	for second := from; second <= to; second += step {
		c.set(second)
	}
	return nil
}

// readFields reads "minute 0 and 30 of every hour", with or without seconds.
func (c *clock) readFields(text string) error {
	fields := strings.Split(text, " of ")
	values := [][]int{{0}}
	if len(fields) == 3 {
		values = nil
	}
	units := []string{"second", "minute", "hour"}
	for i, unit := range units[3-len(fields):] {
		size := 60
		if unit == "hour" {
			size = 24
		}
		all, err := readSelection(fields[i], unit, 0, size-1)
		if err != nil {
			return err
		}
		values = append(values, all)
	}
	for _, hour := range values[2] {
		for _, minute := range values[1] {
			for _, second := range values[0] {
				c.set(hour*3600 + minute*60 + second)
			}
		}
	}
	return nil
}

func (c *clock) set(second int) { c[second/3600][second/60%60] |= 1 << (second % 60) }

func secondOfDay(text string) (int, error) {
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Hour()*3600 + t.Minute()*60 + t.Second(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time of day", text)
}

// read reads dates.
func (d *dates) read(text string) error {
	for part := range strings.SplitSeq(text, " as well as ") {
		if err := d.readOne(part); err != nil {
			return err
		}
	}
	return nil
}

// readOne adds dates that are restricted by one of the day fields at most.
func (d *dates) readOne(text string) (err error) {
	days, weekdays, months := span(1, 31), span(0, 6), span(1, 12)
	var ofMonths string
	what, of, ok := strings.Cut(text, " of ")
	if ok {
		if days, err = readSelection(strings.TrimPrefix(what, "on "), "day", 1, 31); err != nil {
			return err
		}
		ofMonths = strings.TrimPrefix(of, "every month")
	} else {
		what, ofMonths, _ = strings.Cut(" "+text, " in ")
		what = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(what), "every "), "on ")
		switch strings.TrimSuffix(what, "s") {
		case "", "day":
		case "weekday":
			weekdays = span(1, 5)
		default:
			if weekdays, err = readNames(what, 0, 6, func(n int) string { return time.Weekday(n).String() }); err != nil {
				return err
			}
		}
	}
	if ofMonths != "" {
		if months, err = readNames(ofMonths, 1, 12, func(n int) string { return time.Month(n).String() }); err != nil {
			return err
		}
	}
	for _, month := range months {
		for _, day := range days {
			d[month][day] |= bits(weekdays)
		}
	}
	return nil
}

// readSelection reads values of a field.
func readSelection(text, unit string, least, most int) ([]int, error) {
	if text == "every "+unit {
		return span(least, most), nil
	}
	if m := spanOfUnit.FindStringSubmatch(text); m != nil && m[2] == unit {
		step, from, to := max(1, number(m[1])), number(m[3]), number(m[4])
		var all []int
		for n := from; n <= to; n += step {
			all = append(all, n)
		}
		return all, nil
	}
	values, ok := strings.CutPrefix(text, unit+" ")
	if !ok {
		return nil, fmt.Errorf("%q names no %s", text, unit)
	}
	return readNames(values, least, most, strconv.Itoa)
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// readNames reads a list of values and ranges by their names.
func readNames(text string, least, most int, name func(int) string) (all []int, err error) {
	value := func(text string) int {
		for n := least; n <= most; n++ {
			if text == name(n) || text == name(n)+"s" {
				return n
			}
		}
		err = fmt.Errorf("%q is no value", text)
		return most
	}
	for _, item := range readList(text) {
		from, to, ranged := strings.Cut(item, " to ")
		if !ranged {
			to = from
		}
		all = append(all, span(value(from), value(to))...)
	}
	return all, err
}

func readList(text string) []string {
	return strings.Split(strings.ReplaceAll(text, " and ", ", "), ", ")
}

func span(from, to int) (all []int) {
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}
