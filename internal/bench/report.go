package bench

import (
	"fmt"
	"time"
)

// A Report is the result of a run.
type Report struct {
	At          time.Time `json:"at"`
	Took        float64   `json:"took_s"`
	Server      string    `json:"server"`
	Machine     Hardware  `json:"machine"`
	Sizes       Sizes     `json:"sizes"`
	Callers     int       `json:"callers"`
	Connections int       `json:"connections"`
	Payload     int       `json:"payload_bytes"`
	// Slowdown is the processor time of a unary echo here, divided by that on the reference machine,
	// for which the thresholds are defined; 0 if no measure needs it.
	Slowdown float64     `json:"slowdown,omitempty"`
	Results  []RowResult `json:"results"`
}

// Faults returns a line for each measure that lost or miscounted triggers, or that failed: none
// after a good run.
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
