package engine

import (
	"context"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Schedule stores s, whose plan is resolved, as the job k. When it returns nil, the job survives a
// power cut.
//
// An existing job k is replaced if overwrite is set, and is [job.ErrExists] otherwise. A job that
// would never fire is not stored, but still replaces an existing one. A [*job.TooLargeError] says
// that s is too large, and [job.ErrFull] that the store has no capacity. After
// [job.ErrUnavailable], or if ctx ends first, the job may be stored or not.
func (e *Engine) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	c := new(command)
	if err := e.newCommand(c, &job.Request{Key: k, Spec: s, Overwrite: overwrite}); err != nil {
		return err
	}
	return e.loopOf[c.partition].inbox.do(ctx, c)
}

// Delete removes the job k, if there is one. When it returns nil, k is not delivered again, except
// that a trigger in flight may still arrive.
func (e *Engine) Delete(ctx context.Context, k job.Key) error {
	c := e.deleteCommand(k)
	return e.loopOf[c.partition].inbox.do(ctx, &c)
}

// newCommand makes c the command that carries out r, unless the store is full. It keeps r.
func (e *Engine) newCommand(c *command, r *job.Request) error {
	if r.Remove {
		*c = e.deleteCommand(r.Key)
		return nil
	}
	encoded := record.EncodeSpec(r.Key, &r.Spec)
	name := len(record.JobKey(r.Key))
	size := len(encoded) + name
	if size > e.config.MaxJob {
		return &job.TooLargeError{Size: size, Limit: e.config.MaxJob}
	}
	if err := e.storeFull(); err != nil {
		return err
	}
	c.key, c.partition, c.bytes, c.addsData, c.spec = r.Key, e.Partition(r.Key), size+writesPerJob*name, true, &r.Spec
	c.decide = func(m *machine.Machine, old machine.Stored) error {
		return m.Schedule(r.Key, &r.Spec, encoded, r.Overwrite, old)
	}
	return nil
}

func (e *Engine) deleteCommand(k job.Key) command {
	return command{
		key: k, partition: e.Partition(k), bytes: writesPerJob * len(record.JobKey(k)),
		decide: func(m *machine.Machine, old machine.Stored) error { m.Remove(k, old); return nil },
	}
}
