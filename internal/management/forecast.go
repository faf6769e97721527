package management

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "carillon/internal/managementv1"
)

const (
	defaultForecast     = time.Hour
	defaultForecastApps = 10
)

// GetForecast implements [pb.ManagementServer].
func (s *Server) GetForecast(ctx context.Context, r *pb.GetForecastRequest) (*pb.Forecast, error) {
	w, err := newForecastWindow(r.GetFromTime(), r.GetSpan(), r.GetStep(), s.cfg.Now(), defaultForecast)
	if err != nil {
		return nil, err
	}
	jobs, err := s.readForecastJobs(ctx, r.GetParent(), w)
	if err != nil {
		return nil, err
	}
	// The counts of all steps of all apps might not fit into memory. So the apps to show are found first.
	totals := map[appID]int{}
	jobs.count(func(j *forecastJob, _ int) { totals[j.app]++ })
	shown := busiestApps(totals, int(cmp.Or(r.GetAppCount(), defaultForecastApps)))

	byApp := map[appID]*pb.AppForecast{}
	m := &pb.Forecast{
		FromTime: timestamp(w.from), EndTime: timestamp(w.end()), Step: durationpb.New(w.step), ScannedCount: uint32(jobs.scanned),
	}
	for _, a := range shown {
		byApp[a] = &pb.AppForecast{App: a.name(), AppCount: 1, StepCounts: make([]uint32, w.steps)}
		m.Apps = append(m.Apps, byApp[a])
	}
	if n := len(totals) - len(shown); n > 0 {
		m.Others = &pb.AppForecast{AppCount: uint32(n), StepCounts: make([]uint32, w.steps)}
	}
	all := make([]uint32, w.steps)
	exact := jobs.count(func(j *forecastJob, step int) {
		of := cmp.Or(byApp[j.app], m.Others)
		if of == nil { // the first pass ended earlier than this one
			of = &pb.AppForecast{AppCount: 1, StepCounts: make([]uint32, w.steps)}
			m.Others = of
		}
		of.StepCounts[step]++
		of.Count++
		all[step]++
	})
	m.Exact, m.ExactThroughTime = exact == w.steps, timestamp(w.start(exact))
	for step, n := range all {
		m.Steps = append(m.Steps, &pb.ForecastStep{StartTime: timestamp(w.start(step)), Count: n, Exact: step < exact})
	}
	return m, nil
}

// busiestApps returns the apps with the highest totals in descending order, limit at most.
func busiestApps(totals map[appID]int, limit int) []appID {
	all := make([]appID, 0, len(totals))
	for a := range totals {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b appID) int {
		return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.app, b.app))
	})
	return all[:min(len(all), limit)]
}
