package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// overload measures what apps with more work than the server can do cost another app: row 20.
func (b *bench) overload(ctx context.Context) ([]RowResult, error) {
	return b.eachOverload(ctx, func(measure func(t *measuredServer, nodes []*child) error) error {
		_, err := b.withScheduler(ctx, func(t *measuredServer) ([]RowResult, error) {
			var nodes []*child
			if t.child != nil {
				nodes = append(nodes, t.child)
			}
			return nil, measure(t, nodes)
		})
		return err
	})
}

// overloadOnCluster is overload on a cluster.
func (b *bench) overloadOnCluster(ctx context.Context) ([]RowResult, error) {
	return b.eachOverload(ctx, func(measure func(t *measuredServer, nodes []*child) error) (err error) {
		f, err := b.startCluster(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.stop()) }()
		var nodes []*child
		for _, n := range f.nodes {
			nodes = append(nodes, n.child)
		}
		return measure(&measuredServer{client: f.client}, nodes)
	})
}

// eachOverload takes the measures of row 20, for each load on a new server: on starts one and calls
// measure. If a load cannot be measured, the others still are.
func (b *bench) eachOverload(
	ctx context.Context, on func(measure func(t *measuredServer, nodes []*child) error) error,
) (results []RowResult, err error) {
	for _, load := range busyLoads() {
		err := on(func(t *measuredServer, nodes []*child) error {
			found, err := b.overloaded(ctx, t, nodes, load)
			results = append(results, found...)
			return err
		})
		if err != nil {
			results = append(results, RowResult{Row: 20, Measure: load.name, Error: err.Error()})
		}
	}
	return results, ctx.Err()
}

// overloaded takes the measures of one load: all jobs of one app, and then of many.
func (b *bench) overloaded(ctx context.Context, t *measuredServer, nodes []*child, load busyLoad) (results []RowResult, err error) {
	var sides []besideResult
	for _, apps := range []int{0, 1, manyApps, 0} {
		s, err := b.besideBusy(ctx, t, nodes, load, apps)
		if err != nil {
			return nil, fmt.Errorf("%d apps: %w", apps, err)
		}
		sides = append(sides, s)
	}
	for i, apps := range []string{"one app", fmt.Sprintf("%d apps", manyApps)} {
		what := fmt.Sprintf("%s %s of %s", format(float64(b.cfg.Sizes.Busy), ""), load.name, apps)
		results = append(results, sides[i+1].results(what, sides[0], sides[3])...)
	}
	return results, nil
}

// overloadDuration estimates how long row 20 takes.
func overloadDuration(s Sizes) time.Duration {
	alone := 3*time.Second + s.Overload + s.Linger
	beside := 5*time.Second + 2*s.Overload + s.Linger + 2*fillTime(s.Busy)
	return 4*alone + 6*beside
}
