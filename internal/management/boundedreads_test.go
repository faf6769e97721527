package management_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"log/slog"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/management"
	pb "carillon/internal/managementv1"
	"carillon/internal/memnet"
	"carillon/internal/store"
	"carillon/internal/when"
)

// A madeUpStore has any number of jobs of one app, which it makes up when they are read. It counts
// the rows that are read.
type madeUpStore struct {
	store.Store

	jobs        int
	begin       time.Time // when the first job is due; the others follow, one each second
	byPartition [][]int32 // the numbers of its jobs, in due order
	reads       atomic.Int64
}

const (
	madeUpPartitions = 64
	madeUpStep       = 7919 // a prime: job i is due at second i*madeUpStep, modulo the number of jobs
)

func newMadeUpStore(jobs int) *madeUpStore {
	s := &madeUpStore{jobs: jobs, begin: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), byPartition: make([][]int32, madeUpPartitions)}
	bySecond := make([]int32, jobs)
	for i := range jobs {
		bySecond[i*madeUpStep%jobs] = int32(i)
	}
	for _, i := range bySecond {
		p := record.PartitionOf(s.key(int(i)), madeUpPartitions)
		s.byPartition[p] = append(s.byPartition[p], i)
	}
	return s
}

func (*madeUpStore) key(i int) job.Key { return appKey("ns", "app", fmt.Sprintf("%08d", i)) }

func (s *madeUpStore) due(i int) time.Time {
	return s.begin.Add(time.Duration(i*madeUpStep%s.jobs) * time.Second)
}

func (s *madeUpStore) spec(i int) []byte {
	k := s.key(i)
	return record.EncodeSpec(k, &job.Spec{Plan: when.Plan{First: s.due(i)}, Policy: job.DefaultPolicy(), AppID: "app"})
}

func (s *madeUpStore) Get(_ context.Context, keys ...[]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for n, key := range keys {
		s.reads.Add(1)
		if k, err := record.ParseJobKey(key); err == nil {
			var i int
			if _, err := fmt.Sscan(strings.TrimLeft(k.Name, "0")+" ", &i); err == nil || strings.Trim(k.Name, "0") == "" {
				values[n] = s.spec(i)
			}
		}
	}
	return values, nil
}

func (s *madeUpStore) Scan(_ context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	rows, pair := s.jobs, func(i int) store.Pair { return store.Pair{Key: record.JobKey(s.key(i)), Value: s.spec(i)} }
	if record.KindOf(r.From) == record.KindDue {
		partition := int(binary.BigEndian.Uint16(r.From[1:]))
		numbers := s.byPartition[partition]
		rows, pair = len(numbers), func(i int) store.Pair {
			n := int(numbers[i])
			return store.Pair{Key: record.DueKey(record.Entry{Due: s.due(n), Key: s.key(n), Partition: partition})}
		}
	}
	return func(yield func(store.Pair, error) bool) {
		first := sort.Search(rows, func(i int) bool { return bytes.Compare(pair(i).Key, r.From) >= 0 })
		for i := first; i < rows && (limit == 0 || i < first+limit); i++ {
			p := pair(i)
			if bytes.Compare(p.Key, r.To) >= 0 {
				return
			}
			s.reads.Add(1)
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (*madeUpStore) MaxBatch() (writes, size int) { return 1000, 1 << 20 }

// serveJobs serves the management API before some jobs, which nothing runs.
func serveJobs(t *testing.T, jobs management.JobReader) pb.ManagementClient {
	t.Helper()
	w := &world{t: t, listener: memnet.Listen()}
	s := management.New(management.Config{Jobs: jobs, Progress: func(context.Context, []job.Key) ([]engine.DueProgress, []string, error) { return nil, nil, nil }},
		slog.New(slog.NewTextHandler(t.Output(), nil)))
	ended := make(chan error)
	go func() { ended <- s.Run(t.Context(), w.listener) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w.client("")
}

// TestListsReadABoundedNumberOfRows counts the rows that pages and counts read of many jobs.
func TestListsReadABoundedNumberOfRows(t *testing.T) {
	const page, filtered, counted = 3000, 250_000, 250_000 // rows at most
	for _, jobs := range []int{20_000, 1_000_000} {
		s := newMadeUpStore(jobs)
		c := serveJobs(t, engine.New(engine.Config{Partitions: madeUpPartitions}, s, &app{}, slog.New(slog.DiscardHandler)))
		within := func(what string, limit int64) {
			t.Helper()
			if n := s.reads.Swap(0); n > limit {
				t.Errorf("%d jobs: %s read %d rows, want %d at most", jobs, what, n, limit)
			} else {
				t.Logf("%d jobs: %s read %d rows", jobs, what, n)
			}
		}
		for _, order := range []string{"name", "due_time"} {
			req := &pb.ListJobsRequest{Parent: "namespaces/ns/apps/app", OrderBy: order}
			for n := range 5 {
				got, err := c.ListJobs(t.Context(), req)
				if err != nil || len(got.GetJobs()) != 50 {
					t.Fatalf("%s: a page has %d jobs, %v", order, len(got.GetJobs()), err)
				}
				within(fmt.Sprintf("page %d by %s", n, order), page)
				if order == "due_time" {
					for i, j := range got.GetJobs() {
						if want := s.begin.Add(time.Duration(50*n+i) * time.Second); !j.GetDueTime().AsTime().Equal(want) {
							t.Errorf("job %d of page %d is due %v, want %v", i, n, j.GetDueTime().AsTime(), want)
						}
					}
					last := got.GetJobs()[49]
					if got.GetScannedThrough() != last.GetName() || !got.GetScannedThroughTime().AsTime().Equal(last.GetDueTime().AsTime()) {
						t.Errorf("a page was searched through %s, %v, want %v", got.GetScannedThrough(), got.GetScannedThroughTime().AsTime(), last)
					}
				} else if got.GetScannedThroughTime() != nil {
					t.Error("a page by name has been searched through a time")
				}
				req.PageToken = got.GetNextPageToken()
			}
			got, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/-", OrderBy: order, Filter: `name : "none"`})
			if err != nil || len(got.GetJobs()) > 0 || got.GetNextPageToken() == "" || got.GetScannedCount() > 11_000 {
				t.Errorf("a filter that matches nothing: %d jobs, %d scanned, %v", len(got.GetJobs()), got.GetScannedCount(), err)
			}
			within("a filter by "+order, filtered)
		}
		for _, filter := range []string{"", `name : "1"`, `name : "none"`} {
			got, err := c.CountJobs(t.Context(), &pb.CountJobsRequest{Parent: "namespaces/-", Filter: filter})
			within("a count of "+filter, counted)
			if filter == "" && (err != nil || got.GetCount() != 10_000 || got.GetExact()) {
				t.Errorf("CountJobs = %v, %v, want 10000, not exact", got, err)
			}
			if jobs > 100_000 && (err != nil || got.GetExact()) {
				t.Errorf("%q: CountJobs = %v, %v, want that it is not exact", filter, got, err)
			}
		}
	}
}

// crowdedJobs are jobs of too many apps for a page in due order.
type crowdedJobs struct{ management.JobReader }

func (crowdedJobs) ViewPage(context.Context, engine.ViewQuery) (engine.ViewPage, error) {
	return engine.ViewPage{}, engine.ErrTooManyLanes
}

func TestPageByDueOfTooManyAppsIsRefused(t *testing.T) {
	_, err := serveJobs(t, crowdedJobs{}).ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/-", OrderBy: "due_time"})
	if status.Code(err) != codes.InvalidArgument || fieldOf(err) != "orderBy" {
		t.Errorf("ListJobs = %v, want that orderBy is wrong", err)
	}
}
