package when

import (
	"fmt"
	"strconv"
	"strings"
)

// field describes one of the six fields of a calendar rule.
type field struct {
	name        string
	least, most int
	names       string // three letters for each value from least on
}

// parseFields reads six fields, seconds first.
func parseFields(s string) (*calendar, error) {
	texts := strings.Fields(s)
	if len(texts) != 6 {
		return nil, fmt.Errorf("expected exactly 6 fields, found %d: %v", len(texts), texts)
	}
	var c calendar
	fields := calendarFields()
	var stars [6]bool
	for i, values := range [...]*set{&c.seconds, &c.minutes, &c.hours, &c.days, &c.months, &c.weekdays} {
		var err error
		if *values, stars[i], err = fields[i].parse(texts[i]); err != nil {
			return nil, err
		}
	}
	c.either = !stars[3] && !stars[5]
	return &c, nil
}

// calendarFields returns the six fields, in their order.
func calendarFields() [6]field {
	return [...]field{
		{"second", 0, 59, ""},
		{"minute", 0, 59, ""},
		{"hour", 0, 23, ""},
		{"day of the month", 1, 31, ""},
		{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
		{"day of the week", 0, 6, "sunmontuewedthufrisat"},
	}
}

// parse reads a list of items. star reports whether one of them is "*" or "?"
// with a step of one, that is, whether the field restricts nothing.
func (f field) parse(list string) (values set, star bool, err error) {
	for item := range strings.SplitSeq(list, ",") {
		if item == "" {
			continue
		}
		v, all, err := f.parseItem(item)
		if err != nil {
			return 0, false, err
		}
		values, star = values|v, star || all
	}
	if values == 0 {
		return 0, false, fmt.Errorf("field %s names no value: give at least one between its commas", list)
	}
	return values, star, nil
}

// parseItem reads "*", "?", a value or a range of two, with or without a step.
// What follows a star and a hyphen is ignored.
func (f field) parseItem(item string) (values set, star bool, err error) {
	bounds, stepText, stepped := strings.Cut(item, "/")
	low, high, ranged := strings.Cut(bounds, "-")
	from, to, step := f.least, f.most, 1
	if star = low == "*" || low == "?"; !star {
		if from, err = f.value(low); err != nil {
			return 0, false, err
		}
		switch {
		case strings.Contains(high, "-"):
			return 0, false, fmt.Errorf("too many hyphens: %s", item)
		case ranged:
			if to, err = f.value(high); err != nil {
				return 0, false, err
			}
		case !stepped:
			to = from
		}
	}
	if stepped {
		if strings.Contains(stepText, "/") {
			return 0, false, fmt.Errorf("too many slashes: %s", item)
		}
		if step, err = number(stepText); err != nil {
			return 0, false, err
		}
	}
	switch {
	case from < f.least:
		return 0, false, fmt.Errorf("beginning of range (%d) below minimum (%d): %s", from, f.least, item)
	case to > f.most:
		return 0, false, fmt.Errorf("end of range (%d) above maximum (%d): %s", to, f.most, item)
	case from > to:
		return 0, false, fmt.Errorf("beginning of range (%d) beyond end of range (%d): %s", from, to, item)
	case step == 0:
		return 0, false, fmt.Errorf("step of range should be a positive number: %s", item)
	}
	step = min(step, f.most+1) // so that from+step cannot overflow
	for n := from; n <= to; n += step {
		values |= 1 << n
	}
	return values, star && step == 1, nil
}

// value reads one of the field's values, by name or by number.
func (f field) value(s string) (int, error) {
	if len(s) == 3 && f.names != "" {
		if i := strings.Index(f.names, strings.ToLower(s)); i >= 0 && i%3 == 0 {
			return f.least + i/3, nil
		}
	}
	return number(s)
}

// number reads a number that is not negative. A sign and leading zeros do no harm.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("failed to parse int from %s", s)
	}
	if n < 0 {
		return 0, fmt.Errorf("negative number (%d) not allowed: %s", n, s)
	}
	return n, nil
}
