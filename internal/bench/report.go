package bench

import (
	"fmt"
	"time"
)

// A Report is what a run has found.
type Report struct {
	At          time.Time `json:"at"`
	Took        float64   `json:"took_s"`
	Server      string    `json:"server"`
	Machine     Hardware  `json:"machine"`
	Sizes       Sizes     `json:"sizes"`
	Callers     int       `json:"callers"`
	Connections int       `json:"connections"`
	Payload     int       `json:"payload_bytes"`
	// Pace is how many times the processor time a unary echo takes here that it takes on the machine that the bars are
	// from; 0 if no measure needed to know.
	Pace    float64     `json:"pace,omitempty"`
	Results []RowResult `json:"results"`
}

// A RowResult is one measure, with what it is held against.
type RowResult struct {
	Row     int     `json:"row"` // the measure's number in docs/performance.md
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	// Null is what the same machine did in the same run with nothing behind the same calls; nil if it is not compared.
	Null *Null `json:"null,omitempty"`
	// Ratio is Value ÷ Null: the median of the rounds, each with the mean of the nulls around it. 0 without a null.
	Ratio float64 `json:"ratio,omitempty"`
	Bar   Bar     `json:"bar"`
	// Verdict is how the ratio, or else the value, stands to the bar.
	Verdict Verdict `json:"verdict"`
	// AtPace is the verdict if the bar is moved by the pace; "" if the bar is no speed of a machine.
	AtPace Verdict `json:"verdict_at_pace,omitempty"`
	// Detail is what else the measure has seen.
	Detail []Figure `json:"detail,omitempty"`
	// Count is nil if the measure says nothing about occurrences.
	Count *Count   `json:"count,omitempty"`
	Notes []string `json:"notes,omitempty"`
	// Error says why the measure could not be taken. Then there is no value.
	Error string `json:"error,omitempty"`
}

// A Null is what a figure is divided by.
type Null struct {
	Name   string    `json:"name"`
	Value  float64   `json:"value"`  // the mean of all
	Values []float64 `json:"values"` // each, in the unit of the result
}

// A Figure is a number with a name.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// A Bar is what a measure must reach, and what it aims at: at least, or if Less is set at most. The zero value is none.
type Bar struct {
	Must float64 `json:"must,omitempty"`
	Aim  float64 `json:"aim,omitempty"`
	Less bool    `json:"less,omitempty"`
	// OfValue says that it is about the value, although there is a null to compare it with.
	OfValue bool `json:"of_value,omitempty"`
	// Speed says that it is about what a processor does in a time, on the machine that the bars are from.
	Speed bool `json:"speed,omitempty"`
}

// A Verdict is how a measure stands to its bar.
type Verdict string

// The verdicts.
const (
	MetAim  Verdict = "met aim"
	MetMust Verdict = "met must"
	Below   Verdict = "below"
	Unknown Verdict = "unknown"
)

func atLeast(must, aim float64) Bar { return Bar{Must: must, Aim: aim} }
func atMost(must, aim float64) Bar  { return Bar{Must: must, Aim: aim, Less: true} }

// speed marks a bar as one that is about a machine's speed.
func speed(b Bar) Bar {
	b.Speed = true
	return b
}

// reaches reports whether value is as good as limit.
func (b Bar) reaches(value, limit float64) bool {
	if b.Less {
		return value <= limit
	}
	return value >= limit
}

// at returns what b is on a machine of that pace.
func (b Bar) at(pace float64) Bar {
	if b.Less {
		pace = 1 / pace
	}
	b.Must /= pace
	b.Aim /= pace
	return b
}

// judged returns r with its verdicts, on a machine of that pace; 0 if it is not known.
func (r RowResult) judged(pace float64) RowResult {
	r.Verdict = r.against(r.Bar)
	if r.Bar.Speed && pace > 0 {
		r.AtPace = r.against(r.Bar.at(pace))
	}
	return r
}

// against returns how r stands to b.
func (r RowResult) against(b Bar) Verdict {
	value := r.Value
	if r.Null != nil && !b.OfValue {
		value = r.Ratio
	}
	switch {
	case r.Error != "" || value == 0 || b == Bar{}:
		return Unknown
	case b.reaches(value, b.Aim):
		return MetAim
	case b.reaches(value, b.Must):
		return MetMust
	default:
		return Below
	}
}

// A Count is what became of the occurrences of a run, or of the jobs that were acknowledged.
type Count struct {
	Want       int `json:"want"`
	Distinct   int `json:"distinct"` // of those wanted
	Duplicates int `json:"duplicates"`
	Early      int `json:"early"`
	Lost       int `json:"lost"`
	Unknown    int `json:"unknown"` // never asked for
}

// Fault returns what is wrong with c, or "" if nothing is.
func (c Count) Fault() string {
	if c.Lost == 0 && c.Early == 0 && c.Duplicates == 0 && c.Unknown == 0 {
		return ""
	}
	return fmt.Sprintf("of %d occurrences %d lost, %d early, %d twice, %d that nobody asked for",
		c.Want, c.Lost, c.Early, c.Duplicates, c.Unknown)
}

// Faults returns a line for each measure that was counted wrong or could not be taken: none after a good run.
func (r Report) Faults() []string {
	var faults []string
	for _, res := range r.Results {
		if res.Error != "" {
			faults = append(faults, fmt.Sprintf("row %d, %s: %s", res.Row, res.Measure, res.Error))
		} else if res.Count != nil && res.Count.Fault() != "" {
			faults = append(faults, fmt.Sprintf("row %d, %s: %s", res.Row, res.Measure, res.Count.Fault()))
		}
	}
	return faults
}

// plus returns the sum of both.
func (c Count) plus(o Count) Count {
	return Count{
		Want: c.Want + o.Want, Distinct: c.Distinct + o.Distinct, Duplicates: c.Duplicates + o.Duplicates,
		Early: c.Early + o.Early, Lost: c.Lost + o.Lost, Unknown: c.Unknown + o.Unknown,
	}
}
