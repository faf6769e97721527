package timerfd_test

import (
	"testing"
	"time"

	"carillon/internal/timerfd"
)

func waker(t *testing.T) (*timerfd.Waker, chan time.Time) {
	t.Helper()
	wakes := make(chan time.Time, 10)
	b, err := timerfd.New(func() { wakes <- time.Now() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, wakes
}

func TestWakerWakesOnceAndNeverEarly(t *testing.T) {
	w, wakes := waker(t)
	for _, d := range []time.Duration{-time.Second, 0, 1, 700 * time.Microsecond, 3 * time.Millisecond} {
		begun := time.Now()
		w.Set(d)
		if early := d - (<-wakes).Sub(begun); early > 0 {
			t.Errorf("a waker set to %v woke %v early", d, early)
		}
		select {
		case <-wakes:
			t.Errorf("a waker set to %v woke twice", d)
		case <-time.NewTimer(2 * time.Millisecond).C:
		}
	}
}

func TestWakerKeepsTheLastTimeThatWasSet(t *testing.T) {
	w, wakes := waker(t)
	for _, before := range []time.Duration{time.Millisecond, time.Hour} {
		begun := time.Now()
		w.Set(before)
		w.Set(5 * time.Millisecond)
		if took := (<-wakes).Sub(begun); took < 5*time.Millisecond || took > time.Minute {
			t.Errorf("set to %v and then to 5ms, it woke after %v", before, took)
		}
	}
}

// It says something on an idle machine alone: on a busy one Go looks at its timers all the time.
func BenchmarkIdleTimerLateness(b *testing.B) {
	wait := func(b *testing.B, set func(d time.Duration)) {
		var late time.Duration
		for i := range b.N {
			d := 3*time.Millisecond + time.Duration(i%10)*137*time.Microsecond
			due := time.Now().Add(d)
			timer := time.NewTimer(d)
			set(d)
			<-timer.C
			late += time.Since(due)
		}
		b.ReportMetric(float64(late.Microseconds())/float64(b.N), "µs-late")
	}
	b.Run("without", func(b *testing.B) { wait(b, func(time.Duration) {}) })
	b.Run("with", func(b *testing.B) {
		waker, err := timerfd.New(nil)
		if err != nil {
			b.Fatal(err)
		}
		defer waker.Close()
		wait(b, waker.Set)
	})
}
