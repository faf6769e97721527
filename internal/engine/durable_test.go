package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
)

func TestReadDuringCommitWaitsForItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, 1)
		of, other := appKey("app", 1), appKey("app", 2)
		for _, failure := range []error{nil, errors.New("input/output error")} {
			c := &pendingCommit{keys: map[job.Key]struct{}{of: {}}, ended: make(chan struct{})}
			s.commit.Store(c)
			if ok, err := s.commit.Load().waitDurable(t.Context(), &other); !ok || err != nil {
				t.Errorf("what a commit is not about is said to hold: %v, %v", ok, err)
			}
			time.AfterFunc(time.Second, func() {
				c.err = failure
				close(c.ended)
			})
			for _, k := range []*job.Key{&of, nil} { // nil is any job
				if ok, err := s.commit.Load().waitDurable(t.Context(), k); ok != (failure == nil) || err != nil {
					t.Errorf("after a commit that ended with %v what was read is said to hold: %v, %v", failure, ok, err)
				}
			}
		}
		s.commit.Store(nil)
		if ok, err := s.commit.Load().waitDurable(t.Context(), &of); !ok || err != nil {
			t.Errorf("without a commit what was read is said to hold: %v, %v", ok, err)
		}
	})
}
