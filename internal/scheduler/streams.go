package scheduler

import "carillon/internal/job"

// StreamCount returns how many streams sidecars have open.
func (s *Service) StreamCount() int { return s.streams.size() }

// Streams returns the streams that serve a target and have been connected the longest, limit at
// most, and how many serve it.
func (s *Service) Streams(t job.Target, limit int) (some []ConnectedStream, count int) {
	return s.streams.first(t, limit)
}

// ConnectedTargets returns the first targets after one that a connected sidecar serves and that
// selector selects by kind, namespace and target, in the order of their keys; the zero target is
// before all. more says that others follow.
func (s *Service) ConnectedTargets(selector job.Selector, after job.Target, limit int) (all []job.Target, more bool) {
	return s.streams.targets(selector, after, limit)
}
