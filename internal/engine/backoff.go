package engine

import "time"

// The wait before partitions are loaded again doubles from the first to the second.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = 5 * time.Second
)
