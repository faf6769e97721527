package dispatch

// The bounds of what the metrics of limits say by name: actor types and concurrency keys are what sidecars make up, and a
// series is never given up.
const (
	maxLabels  = 200
	maxLabel   = 256 // bytes
	otherLabel = "other"
)

// labels are the names that gates have in metrics, since the process began. The first maxLabels have their own, and all
// that come later share one.
type labels map[string]struct{}

// of returns what metrics call a gate of that name.
func (l labels) of(name string) string {
	if _, known := l[name]; known {
		return name
	}
	if len(l) == maxLabels || len(name) > maxLabel {
		return otherLabel
	}
	l[name] = struct{}{}
	return name
}
