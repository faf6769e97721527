package when_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// zoneNames are the zones of random schedules: both hemispheres, shifts of a
// half hour and of a day, gaps at midnight, odd offsets, and none.
func zoneNames() []string {
	return []string{
		"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Tehran",
		"Africa/Cairo", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "Asia/Beirut",
		"America/Asuncion", "Pacific/Chatham", "Antarctica/Troll", "America/Havana", "Atlantic/Azores",
	}
}

// randomSchedule returns a valid calendar schedule of six fields or a
// descriptor, in the given zone if that is not "". Some name no possible date.
func randomSchedule(r *rand.Rand, zone string) string {
	var prefix string
	if zone != "" {
		prefix = pick(r, "TZ=", "CRON_TZ=") + zone + " "
	}
	if r.IntN(20) == 0 {
		return prefix + pick(r, "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
	}
	fields := make([]string, 6)
	for i := range fields {
		fields[i] = randomField(r, i)
	}
	return prefix + strings.Join(fields, " ")
}

func randomField(r *rand.Rand, field int) string {
	star := [...]int{1, 4, 5, 5, 6, 6}[field] // in ten
	if r.IntN(10) < star {
		return pick(r, "*", "*", "*", "?", "*/1", "*-5")
	}
	items := make([]string, 1+r.IntN(3)*r.IntN(2))
	for i := range items {
		items[i] = randomItem(r, field)
	}
	return strings.Join(items, ",")
}

func randomItem(r *rand.Rand, field int) string {
	least, most := [...]int{0, 0, 0, 1, 1, 0}[field], [...]int{59, 59, 23, 31, 12, 6}[field]
	value := func(from int) (int, string) {
		v := from + r.IntN(most-from+1)
		if field < 4 && r.IntN(3) == 0 {
			v = max(from, []int{0, 30, 2, 29}[field]) // where things happen
		}
		text := pick(r, "%d", "%d", "%d", "%02d", "+%d")
		if field == 4 && r.IntN(2) == 0 {
			return v, pick(r, strings.ToLower, strings.ToUpper)(time.Month(v).String()[:3])
		}
		if field == 5 && r.IntN(2) == 0 {
			return v, time.Weekday(v).String()[:3]
		}
		return v, fmt.Sprintf(text, v)
	}
	step := 1 + r.IntN(most+3)
	from, low := value(least)
	_, high := value(from)
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf("*/%d", step)
	case 1:
		return fmt.Sprintf("%s/%d", low, step)
	case 2:
		return low + "-" + high
	case 3:
		return fmt.Sprintf("%s-%s/%d", low, high, step)
	}
	return low
}

// randomInstant returns an instant between 1975 and 2110, every other time
// within some hours of a change of the zone's offset.
func randomInstant(r *rand.Rand, zone *time.Location) time.Time {
	t := time.Unix(157_766_400+r.Int64N(4_260_211_200), 0)
	if r.IntN(2) == 0 {
		if _, end := t.In(zone).ZoneBounds(); !end.IsZero() {
			t = end.Add(time.Duration(r.IntN(30*3600)-26*3600) * time.Second)
		}
	}
	if r.IntN(2) == 0 {
		t = t.Add(time.Duration(r.Int64N(int64(time.Second))))
	}
	return t.UTC()
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
