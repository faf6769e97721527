package bench

// A RowResult is one measure, and how it compares with its baseline and its threshold.
type RowResult struct {
	Row     int     `json:"row"` // the measure's number in docs/performance.md
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	// Baseline is what the machine does at best in the same run; nil: no comparison.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Ratio is the median of the rounds: each value divided by the mean of the baselines before and
	// after it. 0 without a baseline.
	Ratio     float64   `json:"ratio,omitempty"`
	Threshold Threshold `json:"threshold"`
	// Verdict is how the ratio, or else the value, compares with the threshold.
	Verdict Verdict `json:"verdict"`
	// ScaledVerdict is the verdict with the threshold scaled to the machine's speed; "" if the
	// threshold does not depend on that.
	ScaledVerdict Verdict `json:"verdict_scaled,omitempty"`
	// Detail has further values of the measure.
	Detail []Figure `json:"detail,omitempty"`
	// Count is nil if the measure counts no occurrences.
	Count *Count   `json:"count,omitempty"`
	Notes []string `json:"notes,omitempty"`
	// Error says why the measure failed. Then there is no value.
	Error string `json:"error,omitempty"`
}

// A Baseline is what a value is divided by.
type Baseline struct {
	Name   string    `json:"name"`
	Value  float64   `json:"value"`  // the mean of Values
	Values []float64 `json:"values"` // each, in the unit of the result
}

// judged returns r with its verdicts. The slowdown is that of this machine; 0 if it is unknown.
func (r RowResult) judged(slowdown float64) RowResult {
	r.Verdict = r.against(r.Threshold)
	if r.Threshold.Speed && slowdown > 0 {
		r.ScaledVerdict = r.against(r.Threshold.scaled(slowdown))
	}
	return r
}

// against returns how r compares with b.
func (r RowResult) against(b Threshold) Verdict {
	value := r.Value
	if r.Baseline != nil && !b.Absolute {
		value = r.Ratio
	}
	switch {
	case r.Error != "" || value == 0 || b == Threshold{}:
		return Unknown
	case b.reaches(value, b.Aim):
		return MetAim
	case b.reaches(value, b.Must):
		return MetMust
	default:
		return Below
	}
}

// verdicts returns the verdict, and after it the scaled one if that differs.
func (r RowResult) verdicts() string {
	if r.ScaledVerdict == "" || r.ScaledVerdict == r.Verdict {
		return string(r.Verdict)
	}
	return string(r.Verdict) + "; scaled to this machine: " + string(r.ScaledVerdict)
}
