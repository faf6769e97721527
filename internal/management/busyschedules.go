package management

import (
	"cmp"
	"context"
	"slices"
	"time"

	pb "carillon/internal/managementv1"
)

const (
	defaultBusySpan      = time.Minute
	defaultBusySchedules = 20
)

// ListBusySchedules implements [pb.ManagementServer].
func (s *Server) ListBusySchedules(ctx context.Context, r *pb.ListBusySchedulesRequest) (*pb.ListBusySchedulesResponse, error) {
	w, err := newForecastWindow(r.GetFromTime(), r.GetSpan(), nil, s.cfg.Now(), defaultBusySpan)
	if err != nil {
		return nil, err
	}
	jobs, err := s.readForecastJobs(ctx, r.GetParent(), w)
	if err != nil {
		return nil, err
	}
	type group struct {
		app   appID
		words string
	}
	groups := map[group]*pb.BusySchedule{}
	var last *forecastJob
	seen := map[string]bool{}
	exact := jobs.count(func(j *forecastJob, _ int) {
		g := group{j.app, j.words}
		b := groups[g]
		if b == nil {
			b = &pb.BusySchedule{App: j.app.name(), Schedule: j.words, ExampleJob: j.name}
			groups[g] = b
		}
		b.Count++
		if j != last && !seen[j.name] {
			seen[j.name] = true
			b.JobCount++
		}
		last = j
	})
	all := make([]*pb.BusySchedule, 0, len(groups))
	for _, b := range groups {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *pb.BusySchedule) int {
		return cmp.Or(cmp.Compare(b.GetCount(), a.GetCount()), cmp.Compare(a.GetApp(), b.GetApp()), cmp.Compare(a.GetSchedule(), b.GetSchedule()))
	})
	m := &pb.ListBusySchedulesResponse{Exact: exact == w.steps, FromTime: timestamp(w.from), EndTime: timestamp(w.end())}
	m.Schedules = all[:min(len(all), int(cmp.Or(r.GetPageSize(), defaultBusySchedules)))]
	for _, b := range all[len(m.GetSchedules()):] {
		m.OtherScheduleCount++
		m.OtherCount += b.GetCount()
	}
	return m, nil
}
