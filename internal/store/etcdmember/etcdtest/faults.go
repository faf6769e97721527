package etcdtest

import "context"

// Faults are what a [Memory] does that a sound etcd does not.
type Faults struct {
	// Before is called before each request of a client is executed, and After before its response is
	// sent, except for watches. An error replaces the response. nil does nothing. Set them before
	// the first client is created.
	Before, After func(ctx context.Context, request any) error
	// Unwatchable makes each watch end at once, like a broken one.
	Unwatchable bool
}

func (f *Faults) before(ctx context.Context, request any) error {
	if f.Before == nil {
		return nil
	}
	return f.Before(ctx, request)
}

func (f *Faults) after(ctx context.Context, request any) error {
	if f.After == nil {
		return nil
	}
	return f.After(ctx, request)
}
