package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/when"
)

// pageOf returns an engine on a store with so many records of so many bytes each, and their keys.
func pageOf(t *testing.T, records, bytes int) *Engine {
	t.Helper()
	s := openStore(t)
	spec := job.Spec{Policy: job.DefaultPolicy(), AppID: "app", Data: &job.Data{Value: make([]byte, bytes)}}
	var b store.Batch
	commit := func() {
		if err := s.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	for i := range records {
		k := appKey("app", 0)
		k.Name = fmt.Sprintf("%06d", i)
		if b.Put(record.JobKey(k), record.EncodeSpec(k, &spec)); i%1000 == 999 || bytes > 0 {
			commit()
		}
	}
	commit()
	return New(Config{Partitions: 1}, s, nil, logTo(t))
}

func TestPageSizeAndNextKey(t *testing.T) {
	prefix := record.PrefixRange(job.Prefix{Kind: job.App, Namespace: "ns"})
	for _, c := range []struct {
		records, bytes int
		specs          bool
		want           int
	}{
		{pageJobs, 0, false, pageJobs},
		{pageJobs + 1, 0, false, pageJobs},
		{5, 300 << 10, true, 4},
		{4, 300 << 10, true, 4},
		{5, 300 << 10, false, 5},
		{3, 2 << 20, true, 1},
	} {
		e := pageOf(t, c.records, c.bytes)
		seen := 0
		for rest := prefix; ; {
			p, err := e.readPage(t.Context(), rest, c.specs, pageJobs)
			if err != nil {
				t.Fatal(err)
			}
			if want := min(c.want, c.records-seen); len(p.items) != want {
				t.Errorf("of %d jobs of %d bytes a page has %d behind %d, want %d", c.records, c.bytes, len(p.items), seen, want)
			}
			seen += len(p.items)
			if more := seen < c.records; more != (p.next != nil) {
				t.Errorf("with %d of %d jobs read, there is a next page: %v", seen, c.records, p.next != nil)
			}
			if p.next == nil {
				break
			}
			rest.From = p.next
		}
		if seen != c.records {
			t.Errorf("pages have %d of %d jobs", seen, c.records)
		}
	}
}

func TestListSkipsUnreadableJobs(t *testing.T) {
	e := pageOf(t, 3, 10)
	var b store.Batch
	b.Put(append(record.JobKey(appKey("app", 1)), 'x'), []byte("value"))
	b.Put(record.JobKey(appKey("app", 2)), []byte("no record"))
	if err := e.store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, specs := range []bool{false, true} {
		p, err := e.readPage(t.Context(), record.PrefixRange(job.Prefix{Kind: job.App, Namespace: "ns"}), specs, pageJobs)
		want := 4 // without specs nobody looks into the record
		if specs {
			want = 3
		}
		if err != nil || len(p.items) != want || p.next != nil {
			t.Errorf("with specs %v: %d items, %v, want %d", specs, len(p.items), err, want)
		}
		for _, item := range p.items {
			if specs != (item.Spec.Data != nil) {
				t.Errorf("with specs %v an item is %+v", specs, item)
			}
		}
		if got := len(e.quarantine.Findings()); got != 1 && !specs || got != 2 && specs {
			t.Errorf("with specs %v: %d keys are aside", specs, got)
		}
	}
	for _, f := range e.quarantine.Findings() {
		if f.Bytes != len("value") && f.Bytes != len("no record") {
			t.Errorf("%v has %d bytes", f, f.Bytes)
		}
	}
}

func TestMaxJobIsExact(t *testing.T) {
	spec := job.Spec{Policy: job.DefaultPolicy(), AppID: "app", Data: &job.Data{Value: make([]byte, 100)}}
	k := appKey("app", 1)
	size := len(record.EncodeSpec(k, &spec)) + len(record.JobKey(k))
	for limit, want := range map[int]bool{size: true, size - 1: false} {
		e := New(Config{MaxJob: limit}, openStore(t), nil, logTo(t))
		var c command
		err := e.newCommand(&c, &job.Request{Key: k, Spec: spec})
		var large *job.TooLargeError
		if errors.As(err, &large) == want || large != nil && (large.Size != size || large.Limit != limit) {
			t.Errorf("a job of %d bytes where %d are the most: %v", size, limit, err)
		}
		if want && (c.bytes != size+writesPerJob*len(record.JobKey(k)) || !c.addsData || c.spec == nil || c.partition != e.Partition(k)) {
			t.Errorf("its command is %+v", c)
		}
	}
}

// A rereadStore counts scans, and calls again before the second one.
type rereadStore struct {
	store.Store
	scans int
	again func()
}

func (s *rereadStore) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	if s.scans++; s.scans == 2 {
		s.again()
	}
	return s.Store.Scan(ctx, r, limit)
}

func TestPageIsReadAgainAfterFailedCommit(t *testing.T) {
	for fails := range 3 {
		s := &rereadStore{Store: openStore(t)}
		e := New(Config{Partitions: 3, Loops: 3}, s, nil, logTo(t))
		c := &pendingCommit{ended: make(chan struct{}), err: errMute}
		close(c.ended)
		e.loops[fails].commit.Store(c)
		s.again = func() { e.loops[fails].commit.Store(nil) }
		if _, err := e.page(t.Context(), record.PrefixRange(job.Prefix{Kind: job.App, Namespace: "ns"}), true, pageJobs); err != nil || s.scans != 2 {
			t.Errorf("beside a commit of loop %d that failed a page was read %d times, %v; want twice", fails, s.scans, err)
		}
	}
}

func TestPageSkipsMalformedKeysWithinLimit(t *testing.T) {
	e := pageOf(t, 3, 10)
	var b store.Batch
	for i := range 4 {
		b.Put(append(record.JobKey(appKey("app", 0)), 'x', byte(i)), []byte("value"))
	}
	if err := e.store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	p := job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}
	var sizes []int
	for position := []byte(nil); ; {
		items, next, err := e.ListPage(t.Context(), p, position, 2)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(items))
		if position = next; next == nil {
			break
		}
	}
	if want := []int{0, 0, 2, 1}; !slices.Equal(sizes, want) {
		t.Errorf("pages of 2 of 3 jobs and 4 malformed keys have %v jobs, want %v", sizes, want)
	}
}

func TestForgedPositionStaysWithinPrefix(t *testing.T) {
	e := pageOf(t, 3, 10)
	var b store.Batch
	for _, app := range []string{"ap", "app\x00", "apq"} {
		b.Put(record.JobKey(appKey(app, 0)), record.EncodeSpec(appKey(app, 0), &job.Spec{Plan: when.Plan{First: time.Unix(1, 0)}}))
	}
	if err := e.store.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	p := job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}
	for _, position := range []string{"", "\x00", "\x00\x00", "\x00\xff", "1", "\xff\xff\xff", "q"} {
		items, _, err := e.ListPage(t.Context(), p, []byte(position), 10)
		for _, item := range items {
			if item.Key.Target.Name != "app" {
				t.Errorf("from the position %q a page of app has a job of %q", position, item.Key.Target.Name)
			}
		}
		if err != nil {
			t.Errorf("from the position %q: %v", position, err)
		}
	}
}
