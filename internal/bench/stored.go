package bench

import (
	"context"
	"errors"
)

// storedJobs measures what jobs in the far future cost in memory, on disk, at a restart, and other
// jobs, and how fast they are listed: rows 7, 8, 9, 17 and 21.
func (b *bench) storedJobs(ctx context.Context) (results []RowResult, err error) {
	t, err := b.emptyScheduler(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	app, few := b.newApp(), b.cfg.Sizes.Few
	n := max(b.cfg.Sizes.Stored, few)
	little, err := b.storeFew(ctx, t, app)
	if err != nil {
		return nil, err
	}
	b.progress("storing")
	if err := b.fillWith(ctx, t, app, few, n-few, unchanged); err != nil {
		return nil, err
	}
	much := memoryUse{}
	if much.loaded, err = b.residentMemory(ctx, t); err != nil {
		return nil, err
	}
	what := format(float64(n), "") + " stored"
	var pages, beside []RowResult
	if b.cfg.wants(21) {
		if pages, err = b.jobPages(ctx, t, app, n, much.loaded); err != nil {
			return nil, err
		}
	}
	if b.cfg.wants(17) {
		if beside, err = b.besideStored(ctx, t, what); err != nil {
			return nil, err
		}
	}
	first, count, err := b.restart(ctx, t)
	if err != nil {
		return nil, err
	}
	if much.restarted, err = b.residentMemory(ctx, t); err != nil {
		return nil, err
	}
	survived, err := b.countSample(ctx, t, app, n)
	if err != nil {
		return nil, err
	}
	count = count.plus(survived)
	results = []RowResult{
		b.memoryRow(what+": memory as loaded", much.loaded, little.loaded),
		b.memoryRow(what+": memory after a restart", much.restarted, little.restarted),
		{
			Row: 8, Measure: what + ": killed, then started, to the first trigger that was due", Value: first.Seconds(), Unit: "s",
			Threshold: atMost(1, 0.3), Count: &count, Notes: []string{"counted with a sample of what is stored"},
		},
	}
	if b.cfg.wants(9) {
		disk, err := b.diskUse(ctx, t, n)
		if err != nil {
			return nil, err
		}
		results = append(results, disk)
	}
	results = append(append(results, beside...), pages...)
	if b.cfg.wants(8) {
		gone, err := b.restartAfterDeletion(ctx, t, app, what)
		if err != nil {
			return nil, err
		}
		results = append(results, gone)
	}
	return results, nil
}
