package management

import (
	"cmp"
	"slices"
	"time"

	pb "carillon/internal/managementv1"
)

// How long something may last before it needs a person.
const (
	overdueGrace = 10 * time.Second // an app restarts, a partition changes its owner
	turnGrace    = time.Minute      // many jobs are due at once
	answerGrace  = 10 * time.Minute // the app works on a trigger
)

// A problemKey is the cause by which jobs are grouped.
type problemKey struct {
	app    appID
	state  pb.Job_State
	reason string
}

// problemGroups are problems of jobs, grouped by their causes.
type problemGroups map[problemKey]*pb.JobProblem

// add adds a job to the group of the problem that it has now, if it has one.
func (g problemGroups) add(j *seenJob, now time.Time) {
	state, reason, message, ok := j.problem(now)
	if !ok {
		return
	}
	key := problemKey{appOf(&j.view), state, reason}
	p := g[key]
	if p == nil {
		p = &pb.JobProblem{App: key.app.name(), Reason: reason, Message: message, State: state}
		g[key] = p
	}
	p.Count++
	at := timestamp(j.view.Occurrence)
	if p.GetOldestTime() == nil || at.AsTime().Before(p.GetOldestTime().AsTime()) {
		p.OldestTime, p.ExampleJob = at, jobName(j.view.Key)
	}
	if p.GetNewestTime() == nil || at.AsTime().After(p.GetNewestTime().AsTime()) {
		p.NewestTime = at
	}
}

// problem returns what of a job needs a person; ok is false if nothing does. If there are several
// problems, it is the one that has to be solved first.
func (j *seenJob) problem(now time.Time) (state pb.Job_State, reason, message string, ok bool) {
	for _, state := range []pb.Job_State{pb.Job_OVERDUE, pb.Job_UNKNOWN, pb.Job_RETRYING, pb.Job_RUNNING} {
		for _, c := range j.situation.conditions {
			if c.GetType() != state {
				continue
			}
			for _, k := range knownProblems() {
				if k.state == state && k.reason == c.GetReason() {
					if c.GetSinceTime() == nil || now.Sub(c.GetSinceTime().AsTime()) >= k.grace {
						return state, cmp.Or(k.shown, k.reason), k.advice, true
					}
				}
			}
		}
	}
	return 0, "", "", false
}

// A knownProblem is a condition of jobs that needs a person after some time.
type knownProblem struct {
	state  pb.Job_State
	reason string
	shown  string // the reason in its place; empty: the same
	grace  time.Duration
	advice string // what is wrong and what to do
}

// knownProblems returns all of them. A job that waits until a replaced trigger is over has none of
// its own.
func knownProblems() []knownProblem {
	overdue := func(reason string, grace time.Duration, advice string) knownProblem {
		return knownProblem{pb.Job_OVERDUE, reason, "", grace, advice}
	}
	return []knownProblem{
		overdue("NoSidecarConnected", overdueGrace, "no sidecar of the app is connected: start the app with its sidecar"),
		overdue("SidecarsFull", overdueGrace, "the connected sidecars take no more triggers: the app is slow, or hangs; look into its log"),
		overdue("InFlightLimit", overdueGrace, "the app has its share of triggers in flight: it is slow, or hangs; look into its log"),
		overdue("ConcurrencyLimit", turnGrace, "as many reminders are in flight as their actor type or key allows: the app is slow, or the limit is low"),
		overdue("RateLimit", overdueGrace, "the namespace has used up its triggers per second: find the busy app, or raise the limit"),
		overdue("StoreFull", overdueGrace, "the store has no room for outcomes: free disk space, or delete jobs"),
		overdue("OwnerChanging", overdueGrace, "no node has taken over these jobs: look at the nodes, and into their logs"),
		overdue("StoreNotCommitting", overdueGrace, "the store does not commit: the disk is slow or stuck"),
		overdue("WaitingForTurn", turnGrace, "more jobs are due than are delivered: spread their schedules, or add nodes"),
		{pb.Job_UNKNOWN, "OwnerUnreachable", "", overdueGrace, "the node that owns these jobs does not answer: look whether it runs"},
		{pb.Job_RETRYING, "AttemptFailed", "", 0, "the app fails: look into its log; the jobs are tried again by their failure policies"},
		{pb.Job_RUNNING, "AttemptInFlight", "NoAnswer", answerGrace, "the app has triggers for more than ten minutes: it works on them still, or hangs; look into its log"},
	}
}

// sorted returns the groups, those with the most jobs first. exact says whether their counts are.
func (g problemGroups) sorted(exact bool) []*pb.JobProblem {
	all := make([]*pb.JobProblem, 0, len(g))
	for _, p := range g {
		p.Exact = exact
		all = append(all, p)
	}
	slices.SortFunc(all, func(p, q *pb.JobProblem) int {
		return cmp.Or(cmp.Compare(q.GetCount(), p.GetCount()), cmp.Compare(p.GetApp(), q.GetApp()), cmp.Compare(p.GetReason(), q.GetReason()))
	})
	return all
}

// has reports whether jobs have a problem for this reason.
func (g problemGroups) has(reason string) bool {
	for key := range g {
		if key.reason == reason {
			return true
		}
	}
	return false
}
