package bench

// A Threshold is what a measure must reach, and what it aims at. The zero value is none.
type Threshold struct {
	Must         float64 `json:"must,omitempty"`
	Aim          float64 `json:"aim,omitempty"`
	LessIsBetter bool    `json:"less_is_better,omitempty"`
	// Absolute means that the value counts, not its ratio to the baseline.
	Absolute bool `json:"absolute,omitempty"`
	// Speed means that the threshold depends on the machine's speed, and is defined for one machine.
	Speed bool `json:"speed,omitempty"`
}

// A Verdict is how a measure compares with its threshold.
type Verdict string

// The verdicts.
const (
	MetAim  Verdict = "met aim"
	MetMust Verdict = "met must"
	Below   Verdict = "below"
	Unknown Verdict = "unknown"
)

func atLeast(must, aim float64) Threshold { return Threshold{Must: must, Aim: aim} }

func atMost(must, aim float64) Threshold { return Threshold{Must: must, Aim: aim, LessIsBetter: true} }

// speed marks a threshold that depends on the machine's speed.
func speed(b Threshold) Threshold {
	b.Speed = true
	return b
}

// reaches reports whether value is as good as limit.
func (b Threshold) reaches(value, limit float64) bool {
	if b.LessIsBetter {
		return value <= limit
	}
	return value >= limit
}

// scaled returns the threshold for a machine with that slowdown.
func (b Threshold) scaled(slowdown float64) Threshold {
	if b.LessIsBetter {
		slowdown = 1 / slowdown
	}
	b.Must /= slowdown
	b.Aim /= slowdown
	return b
}

// limit formats one limit of b.
func (b Threshold) limit(value float64, unit string) string {
	switch {
	case b == Threshold{}:
		return ""
	case b.LessIsBetter:
		return "≤ " + format(value, unit)
	default:
		return "≥ " + format(value, unit)
	}
}
