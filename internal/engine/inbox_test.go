package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStuckLoopKeepsNoLooksWithoutEnd(t *testing.T) {
	s := newScript(t, 1)
	for range 100 * maxLooks { // nobody gives the loop a turn
		s.inbox.look(func(*loop, time.Time) {})
	}
	if got := len(s.inbox.looks); got > maxLooks {
		t.Errorf("%d looks wait, want %d at most", got, maxLooks)
	}
}

func TestSurveyOfStuckLoopsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newScript(t, 1), newScript(t, 1)
		to := make(chan prometheus.Metric, 100)
		began := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			survey{[]*loop{a.loop, b.loop}}.Collect(to)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("a survey of two loops that have no turn does not end")
		}
		if took := time.Since(began); took > surveyTime {
			t.Errorf("a survey of two loops that have no turn took %v, want %v at most", took, surveyTime)
		}
	})
}
