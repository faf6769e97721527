package simulate_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"carillon/internal/pause"
)

// A clock is the wall clock of a host. It can be stepped on its own. Timers and leases do not use it.
type clock struct {
	world *world
	host  string
	ahead atomic.Int64 // of all others, in nanoseconds
}

// now is [time.Now] as it is outside of a bubble: with a reading of the clock on the wall, and one
// of the other clock. No function of package time makes such a time, so this knows how it is: a
// bit, 33 bits of seconds since 1885 and 30 bits of nanoseconds; and then the nanoseconds of the
// other clock.
func (c *clock) now() time.Time {
	t := time.Now().Local()
	shows := t.Add(time.Duration(c.ahead.Load()))
	since := shows.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	words := (*[2]uint64)(unsafe.Pointer(&t))
	words[0] = 1<<63 | uint64(since)<<30 | uint64(shows.Nanosecond())
	words[1] = uint64(c.world.since() + 1)
	return t
}

// step makes the clock show that much more until the function that it returns is called. Both
// happen at instants at which nothing else does, so that it is clear what the clock showed then.
func (c *clock) step(ctx context.Context, by time.Duration) (back func()) {
	turn := func(by time.Duration) {
		if now := c.world.since(); !pause.For(ctx, now.Truncate(time.Microsecond)+time.Microsecond+333-now) {
			return
		}
		e := event{what: stepped, who: c.host, ahead: time.Duration(c.ahead.Add(int64(by)))}
		e.text = "to be " + e.ahead.String() + " ahead"
		c.world.history.add(e)
	}
	turn(by)
	return func() { turn(-by) }
}

func TestClockStepMovesOnlyWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clock{world: &world{history: newHistory()}}
		for _, by := range []time.Duration{0, time.Hour, -time.Minute, 1500 * time.Millisecond, -1} {
			c.ahead.Store(0)
			before := c.now()
			time.Sleep(time.Second)
			c.ahead.Store(int64(by))
			after := c.now()
			if got, want := after.Round(0), time.Now().Add(by); !got.Equal(want) {
				t.Errorf("%v ahead it shows %v, want %v", by, got, want)
			}
			if got := after.Sub(before); got != time.Second {
				t.Errorf("a second with a step by %v takes %v", by, got)
			}
		}
	})
}
