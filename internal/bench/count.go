package bench

import "fmt"

// A Count compares the delivered occurrences of a run, or the stored jobs, with those wanted.
type Count struct {
	Want       int `json:"want"`
	Distinct   int `json:"distinct"` // wanted and delivered
	Duplicates int `json:"duplicates"`
	Early      int `json:"early"`
	Lost       int `json:"lost"`
	Unknown    int `json:"unknown"` // not wanted
}

// Fault returns what is wrong with c, or "" if nothing is.
func (c Count) Fault() string {
	if c.Lost == 0 && c.Early == 0 && c.Duplicates == 0 && c.Unknown == 0 {
		return ""
	}
	return fmt.Sprintf("of %d occurrences %d lost, %d early, %d twice, %d unexpected",
		c.Want, c.Lost, c.Early, c.Duplicates, c.Unknown)
}

// plus returns the sum of both.
func (c Count) plus(o Count) Count {
	return Count{
		Want: c.Want + o.Want, Distinct: c.Distinct + o.Distinct, Duplicates: c.Duplicates + o.Duplicates,
		Early: c.Early + o.Early, Lost: c.Lost + o.Lost, Unknown: c.Unknown + o.Unknown,
	}
}
