package when

import "strings"

// sixFields returns fields as one text. Five fields are those of a crontab, without seconds, in which
// Sunday may be 7.
func sixFields(texts []string) string {
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
