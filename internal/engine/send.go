package engine

import (
	"context"
	"errors"
	"log/slog"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/quarantine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// A firing is a delivery that is about to be sent, with the spec that holds its payload.
type firing struct {
	*machine.Delivery
	spec *job.Spec
}

// fire makes deliveries of the picked attempts. stored is what was read about each.
func (lp *loop) fire(ctx context.Context, picked []machine.Attempt, stored []machine.Stored) []firing {
	lp.metrics.quotaWaited.Add(float64(lp.machine.TakeQuotaWaited()))
	fired := make([]firing, 0, len(picked))
	for i, a := range picked {
		r := stored[i]
		if d := lp.machine.Fire(a, r); d != nil {
			lp.logDue(ctx, d)
			fired = append(fired, firing{d, r.Spec})
			continue
		}
		switch {
		case r.Err != nil: // already reported
		case !lp.isOwner(a.Partition): // the new owner has moved the job
		case r.Spec == nil:
			lp.quarantine.Report(ctx, record.DueKey(a.Entry), 0, quarantine.ErrNoJob)
		case !r.Obsolete:
			lp.quarantine.Report(ctx, record.DueKey(a.Entry), 0, quarantine.ErrDiffers)
		default:
			lp.log.LogAttrs(ctx, slog.LevelError, "removed an entry of the due index that no job stands behind",
				append(a.Key.Attrs(), slog.Time("due", a.Due))...)
		}
	}
	return fired
}

// errOwnershipEnded ends a turn in which it became too late to fire.
var errOwnershipEnded = errors.New("the right to the partitions has ended, or may have: another node may fire their jobs")

// sendAll sends deliveries as long as their partitions are guaranteed to be owned. It cancels the
// rest.
func (lp *loop) sendAll(ctx context.Context, fired []firing) (err error) {
	for i, f := range fired {
		yieldCPU(i)
		if err == nil && !lp.isOwner(f.Attempt.Partition) {
			err = errOwnershipEnded
		}
		if err != nil {
			lp.machine.Cancel(f.Delivery)
			continue
		}
		lp.send(ctx, f.Delivery, f.spec)
	}
	return err
}

// send offers a delivery to the deliverer, unless its job was removed in the turn that fired it.
func (lp *loop) send(ctx context.Context, d *machine.Delivery, spec *job.Spec) {
	m := lp.machine
	if !m.CanSend(d) {
		m.Cancel(d)
		return
	}
	t := job.Trigger{
		Key: d.Attempt.Key, Partition: d.Attempt.Partition, AppID: spec.AppID, ConcurrencyKey: spec.ConcurrencyKey,
		Data: spec.Data, Due: d.Due, Attempt: d.State.Attempts,
	}
	done := func(o job.Outcome) {
		lp.metrics.deliveries[o].Inc()
		lp.inbox.addOutcome(endedDelivery{d, o, lp.wall()})
	}
	resume := func(n int) { lp.inbox.addCapacity(receiverCapacity{d.Attempt.Lane(), n}) }
	if !lp.deliver.Deliver(t, done, resume) {
		m.Refuse(lp.wall(), d)
		return
	}
	d.SentAt = lp.wall()
	lp.metrics.observeSent(d)
	lp.logSent(ctx, d)
}

// withdrawWaiters cancels the waits for receivers that nothing needs any more. Otherwise each lane
// that came and went while its receivers were busy would leave one. A lane that is parked again
// keeps its wait.
func (lp *loop) withdrawWaiters() {
	for _, id := range lp.machine.TakeUnparked() {
		if !lp.machine.IsParked(id) {
			lp.deliver.Withdraw(id.Target, id.Partition)
		}
	}
}
