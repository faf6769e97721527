package daprmetrics

import "sync"

// A Family caches the series of a metric by a key of type K. A series is made when it is first
// used; later look-ups cost less than by labels. It is safe for concurrent use.
type Family[K comparable, S any] struct {
	newSeries func(K) S

	mu     sync.RWMutex // guards the field below
	series map[K]S
}

// NewFamily returns an empty family whose series newSeries makes.
func NewFamily[K comparable, S any](newSeries func(K) S) *Family[K, S] {
	return &Family[K, S]{newSeries: newSeries, series: make(map[K]S)}
}

// With returns the series of the key.
func (f *Family[K, S]) With(k K) S {
	f.mu.RLock()
	s, ok := f.series[k]
	f.mu.RUnlock()
	if ok {
		return s
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok = f.series[k]; !ok {
		s = f.newSeries(k)
		f.series[k] = s
	}
	return s
}
