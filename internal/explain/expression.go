package explain

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"carillon/internal/when"
)

// expression returns six fields with the values of v, and its zone in front unless that is UTC. They
// parse to the same rule.
func expression(v when.Values) string {
	prefix := ""
	if v.Zone != time.UTC {
		prefix = "TZ=" + v.Zone.String() + " "
	}
	return prefix + strings.Join([]string{
		field(v.Seconds, 60, true), field(v.Minutes, 60, true), field(v.Hours, 24, true),
		field(v.Days, 31, !v.EitherDay), field(v.Months, 12, true), field(v.Weekdays, 7, !v.EitherDay),
	}, " ")
}

// field returns values as the field of a calendar rule. size is how many values the field can have.
// star says that all of them are a star: that differs from a range in the day fields.
func field(values []int, size int, star bool) string {
	if len(values) == size && star {
		return "*"
	}
	last := values[len(values)-1]
	if len(values) >= minRun && values[1] > values[0]+1 && evenly(values, values[1]-values[0]) {
		return fmt.Sprintf("%d-%d/%d", values[0], last, values[1]-values[0])
	}
	var items []string
	for _, r := range runs(values) {
		item := strconv.Itoa(r[0])
		if len(r) > 1 {
			item += "-" + strconv.Itoa(r[len(r)-1])
		}
		items = append(items, item)
	}
	return strings.Join(items, ",")
}
