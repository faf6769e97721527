package explain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomSchedule returns a valid calendar schedule in one of several zones.
func randomSchedule(r *rand.Rand) string {
	return pick(r, "", "TZ=Europe/Berlin ", "CRON_TZ=America/New_York ", "TZ=Australia/Lord_Howe ", "TZ=Asia/Calcutta ") + randomFields(r)
}

// randomFields returns a valid calendar schedule without a zone. Half of them are such as people
// write, and half are at random. Some name no possible date.
func randomFields(r *rand.Rand) string {
	if r.IntN(20) == 0 {
		return pick(r, "@yearly", "@monthly", "@weekly", "@daily", "@hourly")
	}
	fields := make([]string, 6)
	likely := r.IntN(2) == 0
	for i := range fields {
		if likely {
			fields[i] = likelyField(r, i)
		} else {
			fields[i] = randomField(r, i)
		}
	}
	return strings.Join(fields, " ")
}

// likelyField returns a field such as people write.
func likelyField(r *rand.Rand, field int) string {
	return [][]string{
		{"0", "0", "0", "0", "30", "*", "*/10", "*/15", "0,30"},
		{"0", "0", "30", "*", "*/5", "*/15", "0,30", "*/7", "0-29", "5,25,45"},
		{"*", "*", "9", "2", "8-17", "*/2", "0,12", "9-17/2", "22,23,0-5"},
		{"*", "*", "*", "1", "1,15", "31", "*/2", "1-7", "1-31"},
		{"*", "*", "*", "1", "JAN,JUL", "*/3", "6-8"},
		{"*", "*", "?", "MON-FRI", "0,6", "SUN", "1,3,5", "0-6"},
	}[field][r.IntN(5+[]int{4, 5, 4, 4, 2, 3}[field])]
}

// randomField returns a list of up to four random values, ranges and steps.
func randomField(r *rand.Rand, field int) string {
	least, most := [...]int{0, 0, 0, 1, 1, 0}[field], [...]int{59, 59, 23, 31, 12, 6}[field]
	items := make([]string, 1+r.IntN(4)*r.IntN(2))
	for i := range items {
		from := least + r.IntN(most-least+1)
		to := from + r.IntN(most-from+1)
		step := 1 + r.IntN(most+3)
		items[i] = pick(r, "*", fmt.Sprint(from), fmt.Sprint(from), fmt.Sprintf("%d-%d", from, to),
			fmt.Sprintf("*/%d", step), fmt.Sprintf("%d/%d", from, step), fmt.Sprintf("%d-%d/%d", from, to, step))
	}
	return strings.Join(items, ",")
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
