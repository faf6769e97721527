package management

import (
	"cmp"
	"slices"

	"carillon/internal/job"
)

// A targetMerge merges the beginnings of several lists of targets, each in the order of
// compareTargets. The zero targetMerge has none.
type targetMerge struct {
	all []listedTarget
	end *job.Target // what follows it is not known of every list; nil: all lists are complete
}

// add adds the beginning of a list. more says that others follow. stored says that it has the
// targets for which jobs are stored.
func (m *targetMerge) add(list []job.Target, more, stored bool) {
	for _, t := range list {
		m.all = append(m.all, listedTarget{t, stored})
	}
	if more && len(list) > 0 {
		if last := list[len(list)-1]; m.end == nil || compareTargets(last, *m.end) < 0 {
			m.end = &last
		}
	}
}

// first returns the first targets of all lists, each once, limit at most. more says that others may
// follow.
func (m *targetMerge) first(limit int) (targets []listedTarget, more bool) {
	slices.SortFunc(m.all, func(a, b listedTarget) int { return compareTargets(a.Target, b.Target) })
	for _, t := range m.all {
		if n := len(targets); n > 0 && targets[n-1].Target == t.Target {
			targets[n-1].hasJobs = targets[n-1].hasJobs || t.hasJobs
			continue
		}
		if len(targets) == limit || m.end != nil && compareTargets(t.Target, *m.end) > 0 {
			return targets, true
		}
		targets = append(targets, t)
	}
	return targets, m.end != nil
}

// compareTargets compares targets in the order of the keys of the store.
func compareTargets(a, b job.Target) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
