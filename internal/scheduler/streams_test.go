package scheduler_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
)

func TestServiceKnowsConnectedSidecars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		time.Sleep(time.Hour)
		connected := time.Now()
		n.watch(t, hello("ns", "app", "Cart"))
		synctest.Wait()
		streams, count := n.service.Streams(actorTarget("ns", "Cart"), 5)
		if count != 1 || n.service.StreamCount() != 1 || streams[0].AppID != "app" || !streams[0].Since.Equal(connected) {
			t.Errorf("the streams of the actor type: %+v, %d; want one of app since %v", streams, count, connected)
		}
		want := []job.Target{appTarget("ns", "app"), actorTarget("ns", "Cart")}
		if all, more := n.service.ConnectedTargets(job.Selector{}, job.Target{}, 5); !slices.Equal(all, want) || more {
			t.Errorf("connected targets: %v, more %v; want %v", all, more, want)
		}
	})
}
