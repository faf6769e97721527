package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// A sidecar is the jobs API of one to measure, with the app behind it.
type sidecar struct {
	host    string
	app     string
	process process // of the sidecar, and of the scheduler if that is the same
	child   *child  // nil if it is not ours
	dir     string
	callers []*httpLoadCaller
	*httpApp
	ended <-chan error // of the app
	end   context.CancelFunc
}

// sidecar returns a sidecar with nothing stored, or the running one of the configuration, with its app in this process.
func (b *bench) sidecar(ctx context.Context) (*sidecar, error) {
	l, err := listenApp(ctx, b.cfg.AppPort)
	if err != nil {
		return nil, err
	}
	s := &sidecar{app: b.cfg.AppID, process: process(b.cfg.PID), httpApp: &httpApp{port: l.Addr().(*net.TCPAddr).Port}}
	if b.cfg.Sidecar == "" {
		err = b.dev(ctx, s)
	} else {
		var u *url.URL
		if u, err = url.Parse(b.cfg.Sidecar); err == nil {
			s.host = u.Host
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.callers = b.callersTo(s.host)
	serving, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	s.ended, s.end = ended, end
	go func() { ended <- s.serve(serving, l) }()
	return s, nil
}

// dev starts sidecar and scheduler in one process.
func (b *bench) dev(ctx context.Context, s *sidecar) (err error) {
	s.app = b.app()
	if s.dir, err = b.folder("dev"); err != nil {
		return err
	}
	s.child, err = b.startCarillon(ctx, []string{`HTTP API +http://\S+:(\d+)`}, "dev", "--dapr-http-port", "0", "--dapr-grpc-port", "0",
		"--port", "0", "--data-dir", s.dir, "--app", fmt.Sprintf("%s=http://127.0.0.1:%d", s.app, s.port))
	if err != nil {
		return err
	}
	s.process, s.host = s.child.process(), "127.0.0.1:"+s.child.found[0]
	return nil
}

func (s *sidecar) stop() error {
	closeAll(s.callers)
	var err error
	if s.child != nil {
		err = errors.Join(s.child.stop(), os.RemoveAll(s.dir))
	}
	s.end()
	return errors.Join(err, <-s.ended)
}

// overHTTP measures scheduling through a sidecar, and bursts through it to an app: rows 12, 13
// and 19.
func (b *bench) overHTTP(ctx context.Context) (results []RowResult, err error) {
	s, err := b.sidecar(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if b.cfg.wants(12) {
		if results, err = b.post(ctx, s); err != nil {
			return nil, err
		}
	}
	if b.cfg.wants(13) {
		burst, err := b.burstOverHTTP(ctx, s)
		if err != nil {
			return results, err
		}
		results = append(results, burst)
	}
	if b.cfg.wants(19) { // last: what it stores stays
		batches, err := b.postBatches(ctx, s)
		if err != nil {
			return results, err
		}
		results = append(results, batches)
	}
	return results, nil
}

// post measures scheduling through a sidecar.
func (b *bench) post(ctx context.Context, s *sidecar) ([]RowResult, error) {
	null, err := b.null(ctx, NullHTTP)
	if err != nil {
		return nil, err
	}
	echo := b.callersTo(null.found[0])
	defer closeAll(echo)
	var costs, echoCosts []float64
	var count Count
	body := jobBody(far, b.cfg.Payload)
	rates, err := b.between(ctx,
		func(ctx context.Context) (float64, error) {
			b.progress("HTTP echo")
			l, err := b.press(ctx, null.process(), func(ctx context.Context, caller, n int) error {
				return echo[caller].post(ctx, strconv.Itoa(n), s.app, body)
			})
			echoCosts = append(echoCosts, l.cost())
			return l.rate(), err
		},
		func(ctx context.Context) (float64, error) {
			b.progress("schedule over HTTP")
			round := fmt.Sprintf("%s-%d", b.run, len(costs))
			l, err := b.press(ctx, s.process, func(ctx context.Context, caller, n int) error {
				return s.callers[caller].post(ctx, httpName(round, caller, n), s.app, body)
			})
			if err != nil {
				return 0, err
			}
			costs = append(costs, l.cost())
			b.progress("counting what is stored")
			found, err := b.present(ctx, s, round, l)
			count = count.plus(found)
			return l.rate(), err
		})
	if err != nil {
		return nil, err
	}
	rate, cost := speed(atLeast(15_000, 25_000)), speed(atMost(110, 70))
	rate.OfValue = true
	return []RowResult{
		rates.into(RowResult{Row: 12, Measure: "sidecar, HTTP schedule", Unit: "/s", Bar: rate, Count: &count}, "HTTP echo"),
		{
			Row: 12, Measure: "sidecar, CPU per HTTP schedule, with the scheduler's", Value: median(costs), Unit: "µs", Bar: cost,
			Detail: []Figure{{"HTTP echo", mean(echoCosts...), "µs"}},
		},
	}, nil
}

func httpName(round string, caller, n int) string {
	return round + "-" + strconv.Itoa(caller) + "-" + strconv.Itoa(n)
}

// tidy deletes the job from a sidecar that is not ours.
func (s *sidecar) tidy(ctx context.Context, caller int, name string) error {
	if s.child != nil {
		return nil
	}
	_, err := s.callers[caller].do(ctx, http.MethodDelete, name, s.app, nil)
	return err
}

// present gets each job that was acknowledged, and counts those that are there.
func (b *bench) present(ctx context.Context, s *sidecar, round string, l load) (Count, error) {
	var found atomic.Int64
	err := b.each(ctx, b.cfg.Callers, func(ctx context.Context, caller, i int) error {
		for n := range l.each[i] {
			name := httpName(round, i, n)
			status, err := s.callers[caller].do(ctx, http.MethodGet, name, s.app, nil)
			if err == nil {
				err = s.tidy(ctx, caller, name)
			}
			if err != nil {
				return err
			}
			if status/100 == 2 {
				found.Add(1)
			}
		}
		return nil
	})
	return Count{Want: l.total, Distinct: int(found.Load()), Lost: l.total - int(found.Load())}, err
}

// burstOverHTTP measures a burst to an app.
func (b *bench) burstOverHTTP(ctx context.Context, s *sidecar) (RowResult, error) {
	var rates, costs []float64
	var late []time.Duration
	var count Count
	for range b.cfg.Sizes.Rounds {
		one, err := b.blastOverHTTP(ctx, s)
		if err != nil {
			return RowResult{}, err
		}
		rates, costs = append(rates, one.delivered), append(costs, one.cost)
		late, count = append(late, one.late...), count.plus(one.count)
	}
	return RowResult{
		Row: 13, Measure: fmt.Sprintf("sidecar, burst of %s to an HTTP app", format(float64(b.cfg.Sizes.Burst), "")),
		Value: median(rates), Unit: "/s", Bar: speed(atLeast(15_000, 25_000)), Count: &count,
		Detail: append(spread("late", late), Figure{"CPU of sidecar and scheduler", median(costs), "µs"}),
	}, nil
}

// blastOverHTTP schedules a burst and receives it.
func (b *bench) blastOverHTTP(ctx context.Context, s *sidecar) (blast, error) {
	b.progress("scheduling a burst over HTTP")
	n := b.cfg.Sizes.Burst
	fill := func(prefix, due string, n int) error {
		body := jobBody(due, b.cfg.Payload)
		return b.each(ctx, n, func(ctx context.Context, caller, i int) error {
			return s.callers[caller].post(ctx, prefix+strconv.Itoa(i), s.app, body)
		})
	}
	trial, prefix := max(n/20, 1), b.app()+"-"
	begin := time.Now()
	if err := fill(prefix, far, trial); err != nil {
		return blast{}, err
	}
	lead := time.Second + 2*time.Since(begin)/time.Duration(trial)*time.Duration(n)
	err := b.each(ctx, trial, func(ctx context.Context, caller, i int) error {
		return s.tidy(ctx, caller, prefix+strconv.Itoa(i))
	})
	if err != nil {
		return blast{}, err
	}
	l := newLedger(n)
	s.ledger.Store(l)
	defer s.ledger.Store(nil)
	due := time.Now().Add(lead).Truncate(time.Millisecond)
	if err := fill("", instant(due), n); err != nil {
		return blast{}, err
	}
	if over := time.Since(due); over > 0 {
		return blast{}, fmt.Errorf("scheduling %d jobs over HTTP took %v more than the %v that a trial had promised", n, over, lead)
	}
	b.progress("waiting for the burst")
	if err := until(ctx, due); err != nil {
		return blast{}, err
	}
	used := s.process.cpu()
	if err := l.wait(ctx, due, b.cfg.Sizes.Patience); err != nil {
		return blast{}, err
	}
	used = s.process.cpu() - used
	if err := until(ctx, time.Now().Add(b.cfg.Sizes.Linger)); err != nil {
		return blast{}, err
	}
	got, last := l.last()
	p := plan{jobs: n, times: 1, due: func(int, int) time.Time { return due }}
	return blast{
		delivered: float64(got) / last.Sub(due).Seconds(), cost: in(time.Microsecond, used) / float64(max(got, 1)),
		late: l.lateness(p), count: l.count(p),
	}, nil
}
