package management

import (
	"context"
	"strings"
	"time"

	"carillon/internal/engine"
)

// Bounds of one forecast. Behind the first of them, its numbers are floors.
const (
	maxForecastJobs = 30_000
	maxOccurrences  = 1_000_000 // that are computed in one pass
	occurrenceCheck = 4096      // occurrences between two looks at the clock
)

// An appID names an app in the namespace of its jobs.
type appID struct{ namespace, app string }

func appOf(v *engine.JobView) appID { return appID{v.Key.Target.Namespace, v.Spec.AppID} }

// name returns the name of the resource.
func (a appID) name() string {
	return strings.Join([]string{namespaces, a.namespace, apps, a.app}, "/")
}

// A forecastJob is a job that has occurrences in the window of a forecast.
type forecastJob struct {
	app   appID
	name  string // of the resource
	words string // the schedule as it was requested; empty if there is none
	walk  occurrenceWalk
}

// forecastJobs are the jobs of a window.
type forecastJobs struct {
	window   forecastWindow
	all      []forecastJob
	scanned  int
	through  time.Time // of all jobs before it the next attempt is known
	deadline time.Time // of [time.Now]: no occurrence is computed after it
}

// readForecastJobs reads the jobs below parent that the caller of ctx may see.
func (s *Server) readForecastJobs(ctx context.Context, parent string, w forecastWindow) (*forecastJobs, error) {
	selector, err := parseParent(parent)
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	if !c.mayList(selector) {
		return nil, errScope
	}
	jobs := &forecastJobs{window: w, through: w.end(), deadline: time.Now().Add(2 * maxSearch)}
	work := maxOccurrences
	scan, err := s.cfg.Jobs.ViewDue(ctx, engine.DueQuery{Selector: selector, Until: w.end(), MaxJobs: maxForecastJobs, MaxTime: maxSearch},
		func(views []engine.JobView) error {
			for i := range views {
				if v := &views[i]; c.covers(v) {
					jobs.add(v, &work)
				}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	jobs.scanned = scan.Read
	if !scan.Complete && scan.Through.Before(jobs.through) {
		jobs.through = scan.Through
	}
	return jobs, nil
}

// add adds a job, if it has an occurrence in the window.
func (f *forecastJobs) add(v *engine.JobView, work *int) {
	walk := newOccurrenceWalk(v)
	if !walk.skipPast(f.window.begin.Add(-1), work) {
		f.through = f.window.begin // nobody knows where it goes on
		return
	}
	if walk.next.IsZero() || !walk.next.Before(f.window.end()) {
		return
	}
	j := forecastJob{app: appOf(v), name: jobName(v.Key), walk: walk}
	if v.Spec.Words.Schedule != nil {
		j.words = *v.Spec.Words.Schedule
	}
	f.all = append(f.all, j)
}

// count calls add with each occurrence in the window: its job and its step. add was called with all
// occurrences of the first steps, as many as it returns. If the work is used up, each job has one
// further occurrence at most.
func (f *forecastJobs) count(add func(j *forecastJob, step int)) (exact int) {
	w := &f.window
	exact = w.steps
	for exact > 0 && w.start(exact).After(f.through) {
		exact--
	}
	walks := make([]occurrenceWalk, len(f.all))
	byStep := make([][]int, w.steps) // the jobs whose walk has reached the step
	for i := range f.all {
		walks[i] = f.all[i].walk
		step := w.stepOf(walks[i].next)
		byStep[step] = append(byStep[step], i)
	}
	end, work, stopped := w.end(), maxOccurrences, false
	for step := range w.steps {
		stepEnd := w.start(step + 1)
		for _, i := range byStep[step] {
			walk := &walks[i]
			for !walk.next.IsZero() && walk.next.Before(stepEnd) {
				add(&f.all[i], step)
				if work%occurrenceCheck == 0 && time.Now().After(f.deadline) {
					work = 0
				}
				if stopped || !walk.advance(&work) {
					stopped, exact = true, min(exact, step)
					walk.next = time.Time{}
				}
			}
			if !walk.next.IsZero() && walk.next.Before(end) {
				later := w.stepOf(walk.next)
				byStep[later] = append(byStep[later], i)
			}
		}
		byStep[step] = nil
	}
	return exact
}
