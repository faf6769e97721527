package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/engine"
	"carillon/internal/job"
)

func reminder(actor, id, name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: actor}, ActorID: id, Name: name}
}

func names(t *testing.T, e *engine.Engine, p job.Prefix) []string {
	t.Helper()
	var got []string
	for item, err := range e.List(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		if item.Spec.Plan.First.IsZero() {
			t.Errorf("%s is listed without its spec", item.Key)
		}
		got = append(got, item.Key.Target.Name+"/"+item.Key.ActorID+"/"+item.Key.Name)
	}
	return got
}

// selections are prefixes and what they name of the jobs that populate makes.
func selections() map[string]struct {
	prefix job.Prefix
	want   []string
} {
	app := func(parts []string, rest string) job.Prefix {
		return job.Prefix{Kind: job.App, Namespace: "ns", Parts: parts, Rest: rest}
	}
	actor := func(parts []string, rest string) job.Prefix {
		return job.Prefix{Kind: job.Actor, Namespace: "ns", Parts: parts, Rest: rest}
	}
	return map[string]struct {
		prefix job.Prefix
		want   []string
	}{
		"an app":                   {app([]string{"test"}, ""), []string{"test//a", "test//ab", "test//b"}},
		"a prefix of names":        {app([]string{"test"}, "a"), []string{"test//a", "test//ab"}},
		"a prefix of apps":         {app(nil, "test"), []string{"test//a", "test//ab", "test//b", "test-1//a"}},
		"a type":                   {actor([]string{"T"}, ""), []string{"T/1/x", "T/1/y", "T/10/x"}},
		"an id":                    {actor([]string{"T", "1"}, ""), []string{"T/1/x", "T/1/y"}},
		"a prefix of ids":          {actor([]string{"T"}, "1"), []string{"T/1/x", "T/1/y", "T/10/x"}},
		"a prefix of an id's":      {actor([]string{"T", "1"}, "y"), []string{"T/1/y"}},
		"nothing":                  {app([]string{"tes"}, ""), nil},
		"nothing of the namespace": {job.Prefix{Kind: job.App, Namespace: "n"}, nil},
	}
}

func populate(t *testing.T, e *engine.Engine) []job.Key {
	t.Helper()
	keys := []job.Key{
		key("test", "b"), key("test", "a"), key("test", "ab"), key("test-1", "a"),
		reminder("T", "1", "x"), reminder("T", "1", "y"), reminder("T", "10", "x"), reminder("TU", "1", "x"),
	}
	for _, k := range keys {
		mustSchedule(t, e, k, once(time.Now().Add(time.Hour)))
	}
	return keys
}

func TestListIsExactlyItsPrefixInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		populate(t, e)
		for name, s := range selections() {
			if diff := cmp.Diff(s.want, names(t, e, s.prefix)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestDeleteAllRemovesExactlyItsPrefix(t *testing.T) {
	for name, s := range selections() {
		synctest.Test(t, func(t *testing.T) {
			e, a, stop := start(t)
			defer stop()
			all := len(populate(t, e))
			if err := e.DeleteAll(t.Context(), s.prefix); err != nil {
				t.Fatal(err)
			}
			if got := names(t, e, s.prefix); len(got) != 0 {
				t.Errorf("%s: %v is still there", name, got)
			}
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			var fired []string
			for _, tr := range a.triggers(t) {
				fired = append(fired, tr.Key.Target.Name+"/"+tr.Key.ActorID+"/"+tr.Key.Name)
			}
			if len(fired) != all-len(s.want) || slices.ContainsFunc(fired, func(f string) bool { return slices.Contains(s.want, f) }) {
				t.Errorf("%s: %v fired, want all but %v", name, fired, s.want)
			}
		})
	}
}

func TestLargeListAndDeleteAllGoPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		defer stop()
		const n = 5000
		for i := range n {
			mustSchedule(t, e, key("big", fmt.Sprint(i)), once(time.Now().Add(time.Hour)))
		}
		mustSchedule(t, e, key("other", "tick"), every(time.Now(), time.Millisecond))
		all := job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"big"}}
		if got := len(names(t, e, all)); got != n {
			t.Errorf("%d jobs are listed, want %d", got, n)
		}
		if err := e.DeleteAll(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if got := len(names(t, e, all)); got != 0 {
			t.Errorf("%d jobs are left", got)
		}
		time.Sleep(time.Second)
		stop()
		if a.triggers(t); a.late != 0 {
			t.Errorf("the other app's triggers were up to %v late", a.late)
		}
	})
}

func TestDeleteAllStopsAtFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		populate(t, e)
		broken := errors.New("its owner is away")
		err := e.DeleteThrough(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns"}, func(_ context.Context, all []job.Request) []error {
			errs := make([]error, len(all))
			errs[len(errs)-1] = broken
			return errs
		})
		if !errors.Is(err, broken) {
			t.Errorf("a deletion of which one job's failed = %v, want %v", err, broken)
		}
	})
}
