package dispatch

// Limits of the labels in metrics. Sidecars choose actor types and concurrency keys freely, and a
// series is kept until the process ends.
const (
	maxLabels  = 200
	maxLabel   = 256 // bytes
	otherLabel = "other"
)

// labels are the labels of semaphores in metrics, since the process began. The first maxLabels
// names have their own, and all later ones share otherLabel.
type labels map[string]struct{}

// of returns the label of a semaphore of this name.
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
