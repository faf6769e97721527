package management

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxForecast is the longest forecast.
const maxForecast = 24 * time.Hour

// A forecastWindow is the time of a forecast, in steps of the same length.
type forecastWindow struct {
	from  time.Time // of the first step
	begin time.Time // nothing before it counts: from, or now
	step  time.Duration
	steps int
}

// newForecastWindow returns the window that a request asks for at now. Absent fields have defaults.
func newForecastWindow(from *timestamppb.Timestamp, span, step *durationpb.Duration, now time.Time, defaultSpan time.Duration) (w forecastWindow, err error) {
	w.from, w.step = now, time.Minute
	if from != nil {
		if !from.IsValid() {
			return w, invalid("fromTime", "it is not a valid time")
		}
		w.from = from.AsTime()
	}
	if step != nil {
		w.step = step.AsDuration()
		if !step.IsValid() || w.step < time.Minute || w.step > maxForecast || w.step%time.Minute != 0 {
			return w, invalid("step", "it must be whole minutes, from 60s to 86400s")
		}
	}
	length := defaultSpan
	if span != nil {
		length = span.AsDuration()
		if !span.IsValid() || length <= 0 || length > maxForecast {
			return w, invalid("span", fmt.Sprintf("it must be more than 0s, and %ds at most", maxForecast/time.Second))
		}
	}
	w.from = w.from.Truncate(w.step) //nolint:forbidigo // steps begin on whole minutes of the wall clock
	w.begin = w.from
	if w.begin.Before(now) {
		w.begin = now
	}
	w.steps = int((length + w.step - 1) / w.step)
	return w, nil
}

// start returns when a step begins; the step behind the last one begins with the end.
func (w *forecastWindow) start(step int) time.Time { return w.from.Add(time.Duration(step) * w.step) }

// end is the end of the window, exclusive.
func (w *forecastWindow) end() time.Time { return w.start(w.steps) }

// stepOf returns the step of an instant in the window.
func (w *forecastWindow) stepOf(t time.Time) int { return int(t.Sub(w.from) / w.step) }
