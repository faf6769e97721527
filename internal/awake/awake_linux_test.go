package awake_test

import (
	"testing"
	"time"

	"carillon/internal/awake"
)

func bell(t *testing.T) (*awake.Bell, chan time.Time) {
	t.Helper()
	rings := make(chan time.Time, 10)
	b, err := awake.New(func() { rings <- time.Now() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, rings
}

func TestABellRingsOnceAndNotBeforeItsTime(t *testing.T) {
	b, rings := bell(t)
	for _, d := range []time.Duration{-time.Second, 0, 1, 700 * time.Microsecond, 3 * time.Millisecond} {
		begun := time.Now()
		b.Set(d)
		if early := d - (<-rings).Sub(begun); early > 0 {
			t.Errorf("a bell set to %v rang %v early", d, early)
		}
		select {
		case <-rings:
			t.Errorf("a bell set to %v rang twice", d)
		case <-time.NewTimer(2 * time.Millisecond).C:
		}
	}
}

func TestABellRingsAtTheTimeThatItWasSetToLast(t *testing.T) {
	b, rings := bell(t)
	for _, before := range []time.Duration{time.Millisecond, time.Hour} {
		begun := time.Now()
		b.Set(before)
		b.Set(5 * time.Millisecond)
		if took := (<-rings).Sub(begun); took < 5*time.Millisecond || took > time.Minute {
			t.Errorf("set to %v and then to 5ms, it rang after %v", before, took)
		}
	}
}

// It says something on an idle machine alone: on a busy one Go looks at its timers all the time.
func BenchmarkAnIdleTimersLateness(b *testing.B) {
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
		bell, err := awake.New(nil)
		if err != nil {
			b.Fatal(err)
		}
		defer bell.Close()
		wait(b, bell.Set)
	})
}
