package simulate_test

import (
	"context"
	"iter"
	"strconv"
	"strings"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/scheduler"
	"carillon/internal/store"
	messages "carillon/internal/wire"
)

// Probes stand between the parts of a node and write down what passes. They change nothing.

// A jobsProbe stands before the engine.
type jobsProbe struct {
	scheduler.Jobs
	history   *history
	life      int
	partition func(job.Key) int
}

func (p jobsProbe) note(k job.Key, s job.Spec, overwrite bool) {
	p.history.add(event{
		what: resolved, life: p.life, key: keyText(k), version: versionOf(s.Data), overwrite: overwrite,
		words: s.Words, plan: s.Plan, policy: s.Policy, partition: p.partition(k),
	})
}

// Schedule implements [scheduler.Jobs].
func (p jobsProbe) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	p.note(k, s, overwrite)
	return p.Jobs.Schedule(ctx, k, s, overwrite)
}

// ScheduleAll implements [scheduler.Jobs].
func (p jobsProbe) ScheduleAll(ctx context.Context, all []job.Request) []error {
	for _, r := range all {
		p.note(r.Key, r.Spec, r.Overwrite)
	}
	return p.Jobs.ScheduleAll(ctx, all)
}

// A deliverProbe stands before the dispatcher.
type deliverProbe struct {
	engine.Deliverer
	history   *history
	life      int
	partition func(job.Key) int
}

// Deliver implements [engine.Deliverer].
func (p deliverProbe) Deliver(t job.Trigger, end func(job.Outcome), more func(int)) bool {
	e := event{
		what: delivered, life: p.life, call: p.history.call(), key: keyText(t.Key), version: versionOf(t.Data),
		due: t.Due, attempt: t.Attempt, partition: p.partition(t.Key),
	}
	place := p.history.add(e) // before it leaves, so that it stands before what follows from it
	taken := p.Deliverer.Deliver(t, func(o job.Outcome) {
		e.what, e.outcome = ended, o
		p.history.add(e)
		end(o)
	}, func(n int) {
		p.history.add(event{what: room, life: p.life, key: t.Key.Target.Name})
		more(n)
	})
	if !taken {
		p.history.change(place, func(e *event) { e.what = refused })
	}
	return taken
}

// A storeProbe stands before the store.
type storeProbe struct {
	store.Store
	history *history
	life    int
	shared  bool // reads take time, too
}

// read writes down that a read is under way, until what it returns is called.
func (p storeProbe) read() (end func()) {
	if !p.shared {
		return func() {}
	}
	call := p.history.call()
	p.history.add(event{what: commits, life: p.life, call: call, text: "nothing: it reads"})
	return func() { p.history.add(event{what: committed, life: p.life, call: call}) }
}

// Commit implements [store.Store].
func (p storeProbe) Commit(ctx context.Context, b *store.Batch) error {
	call := p.history.call()
	p.history.add(event{what: commits, life: p.life, call: call, text: strconv.Itoa(len(b.Writes)) + " writes"})
	err := p.Store.Commit(ctx, b)
	p.history.add(event{what: committed, life: p.life, call: call, text: errorText(err)})
	return err
}

// Get implements [store.Store].
func (p storeProbe) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	defer p.read()()
	values, err := p.Store.Get(ctx, keys...)
	if err != nil {
		p.history.add(event{what: unread, life: p.life, text: err.Error()})
	}
	return values, err
}

// Scan implements [store.Store].
func (p storeProbe) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		defer p.read()()
		for pair, err := range p.Store.Scan(ctx, r, limit) {
			if err != nil {
				p.history.add(event{what: unread, life: p.life, text: err.Error()})
			}
			if !yield(pair, err) {
				return
			}
		}
	}
}

// A claimProbe stands before a claim.
type claimProbe struct {
	engine.Claim
	history         *history
	life, partition int
}

// Fence implements [engine.Claim].
func (p claimProbe) Fence(ctx context.Context) (store.Fence, error) {
	f, err := p.Claim.Fence(ctx)
	if err == nil {
		p.history.add(event{what: owns, life: p.life, partition: p.partition, text: "partition " + strconv.Itoa(p.partition)})
	}
	return f, err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// keyText names a job as histories do: app/name, or type/id/name.
func keyText(k job.Key) string {
	if k.Target.Kind == job.Actor {
		return k.Target.Name + "/" + k.ActorID + "/" + k.Name
	}
	return k.Target.Name + "/" + k.Name
}

// keyOfTrigger names the job of a trigger, or of an entry of a list, as a peer of ours sees it.
func keyOfTrigger(name string, m *schedulerv1.JobMetadata) string {
	k, err := messages.Key(name, m)
	if err != nil {
		panic(err)
	}
	return keyText(k)
}

// payload is the data of a version of a job: all versions of all jobs have different ones.
func payload(version int) string { return "v" + strconv.Itoa(version) }

// versionOf is the version whose payload d is, as it was given over gRPC or over HTTP; 0 if it is none.
func versionOf(d *job.Data) int {
	if d == nil {
		return 0
	}
	return versionIn(string(d.Value))
}

// versionIn finds the payload in text that has a few bytes around it.
func versionIn(text string) int {
	_, rest, _ := strings.Cut(text, "v")
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	version, err := strconv.Atoi(rest[:n])
	if err != nil {
		return 0
	}
	return version
}
