package storemeta

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

func TestEachJobPausesBetweenPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openStore(t)
		var b store.Batch
		for i := range 2*pageJobs + 1 {
			b.Put(record.JobKey(job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: fmt.Sprint(i)}), nil)
		}
		if err := db.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		for _, rest := range []int{0, 4} {
			began, seen := time.Now(), 0
			err := EachJob(t.Context(), db, rest, func(page []store.Pair) error {
				seen += len(page)
				time.Sleep(time.Second)
				return nil
			})
			if want := time.Duration(3+2*rest) * time.Second; err != nil || seen != 2*pageJobs+1 || time.Since(began) != want {
				t.Errorf("a walk that rests %d times as long as a page takes saw %d jobs in %v, %v; want all in %v", rest, seen, time.Since(began), err, want)
			}
		}
	})
}
