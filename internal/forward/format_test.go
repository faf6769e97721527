package forward_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
)

// TestRollingUpgradeAcrossARecordFormat replaces node c, of a version that reads only the first
// format of records, beside two nodes that read all.
func TestRollingUpgradeAcrossARecordFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.start("a"), w.start("b"), w.startFormat("c", 1)
		time.Sleep(3 * ttl)
		due := time.Now().Add(time.Minute)
		far := once(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC))
		for i := range 30 { // of all partitions
			for _, n := range []*node{a, b} {
				err := n.Schedule(t.Context(), key("far", number(i).Name), far, false)
				if !errors.Is(err, job.ErrUnavailable) || !strings.Contains(err.Error(), "node c") {
					t.Fatalf("a job of the new format, asked of node %s: %v, want it to be unavailable because of node c", n.id, err)
				}
			}
			if err := []*node{a, b, c}[i%3].Schedule(t.Context(), number(i), once(due), false); err != nil {
				t.Fatalf("a job of the old format: %v", err)
			}
		}
		results := a.ScheduleAll(t.Context(), []job.Request{
			{Key: number(100), Spec: once(due)}, {Key: key("far", "x"), Spec: far}, {Key: key("far", "y"), Remove: true},
		})
		if results[0] != nil || !errors.Is(results[1], job.ErrUnavailable) || results[2] != nil {
			t.Errorf("a job of each format and a removal: %v, want the second alone to fail", results)
		}
		c.stop()
		c = w.start("c")
		time.Sleep(3 * ttl)
		for i := range 30 {
			if err := []*node{a, b, c}[i%3].Schedule(t.Context(), key("far", number(i).Name), far, false); err != nil {
				t.Errorf("a job of the new format after the upgrade: %v", err)
			}
			if got, _, err := c.Get(t.Context(), key("far", number(i).Name)); err != nil || !got.Plan.First.Equal(far.Plan.First) {
				t.Errorf("node c has %v, %v, want the job", got.Plan.First, err)
			}
		}
		time.Sleep(time.Until(due) + ttl)
		if got, again := w.deliveries(); got != 31 || again != 0 {
			t.Errorf("%d came, %d of them again, want each of 31 once", got, again)
		}
	})
}

// TestRollingUpgradeLosesNoLabels replaces a node of a version that knows no labels. Until then a job
// with labels is refused by each node; then each node returns them.
func TestRollingUpgradeLosesNoLabels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.start("a"), w.start("b"), w.startFormat("c", 2)
		time.Sleep(3 * ttl)
		labelled := once(time.Now().Add(time.Hour))
		labelled.Ext = &job.Ext{Labels: []job.Label{{Key: "team", Value: "billing"}}, Description: "d"}
		for i := range 30 { // of all partitions
			for _, n := range []*node{a, b} {
				err := n.Schedule(t.Context(), key("labelled", number(i).Name), labelled, false)
				if !errors.Is(err, job.ErrUnavailable) || !strings.Contains(err.Error(), "node c") {
					t.Fatalf("a job with labels, asked of node %s: %v, want it to be unavailable because of node c", n.id, err)
				}
			}
			if err := a.Schedule(t.Context(), number(i), once(time.Now().Add(time.Hour)), false); err != nil {
				t.Fatalf("a job without labels: %v", err)
			}
		}
		c.stop()
		c = w.start("c")
		time.Sleep(3 * ttl)
		all := []*node{a, b, c}
		for i := range 30 {
			k := key("labelled", number(i).Name)
			if err := all[i%3].Schedule(t.Context(), k, labelled, false); err != nil {
				t.Errorf("a job with labels after the upgrade: %v", err)
			}
			for _, n := range all {
				if got, _, err := n.Get(t.Context(), k); err != nil || !reflect.DeepEqual(got.Ext, labelled.Ext) {
					t.Errorf("node %s has %v, %v, want %v", n.id, got.Ext, err, labelled.Ext)
				}
			}
		}
	})
}

// TestWaitingCallIsCheckedAgainstTheOldestMember makes a call before the node knows who is a member.
func TestWaitingCallIsCheckedAgainstTheOldestMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.startFormat("c", 1)
		time.Sleep(3 * ttl)
		a := w.start("a")
		err := a.Schedule(t.Context(), key("far", "x"), once(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)), false)
		if !errors.Is(err, job.ErrUnavailable) || !strings.Contains(err.Error(), "node c") {
			t.Errorf("a job of the new format: %v, want it to be unavailable because of node c", err)
		}
	})
}
