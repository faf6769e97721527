package when

import (
	"fmt"
	"slices"
	"time"
)

// Warnings returns warnings about w, if it is valid: [Words.TextWarnings], and one about a ttl that,
// as of now, ends before the job is first due, unless another warning explains that.
func (w Words) Warnings(now time.Time) []Warning {
	all := w.TextWarnings()
	if d, never := w.never(now); never && !slices.ContainsFunc(all, Warning.EmptiesTTL) {
		all = append(all, d)
	}
	return all
}

// TextWarnings returns warnings about ISO 8601 durations of w, which is valid, in which a number has
// no unit or one in lower case, because Dapr ignores those at the end.
func (w Words) TextWarnings() []Warning {
	var all []Warning
	if d, ok := warnDuration(w.DueTime, "due_time", "dueTime", "the job is due at once"); ok {
		all = append(all, d)
	}
	if d, ok := warnDuration(w.TTL, "ttl", "ttl", "the job ends as soon as it begins"); ok {
		all = append(all, d)
	}
	return all
}

// never returns a warning if w, which is valid, ends before it is first due, as
// of now. It is about the ttl, because nothing else can cause that.
func (w Words) never(now time.Time) (d Warning, ok bool) {
	if w.TTL == nil {
		return Warning{}, false
	}
	p, err := w.Resolve(now)
	if err != nil {
		return Warning{}, false
	}
	if _, due := p.Next(0, time.Time{}); due {
		return Warning{}, false
	}
	wrong := fmt.Sprintf("ttl %+.64q ends at %s, before the job is first due, at %s: make it longer, or leave it out",
		*w.TTL, p.Until.Format(time.RFC3339), p.First.Format(time.RFC3339))
	return Warning{Field: "ttl", Wrong: wrong, Effect: "the job is not stored, and never runs"}, true
}
