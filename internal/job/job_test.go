package job_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func app(name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: name}
}

func TestKeyCheckUsesDaprsWords(t *testing.T) {
	reminder := job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}, ActorID: "i/d", Name: "a"}
	const prefix = len("app||ns||app||")
	for _, c := range []struct {
		key  job.Key
		want string // the whole text; empty if the name is fine
	}{
		{app("a"), ""},
		{app(""), ""},
		{app("my||job@name %41 ünï 🙂 .."), ""},
		{app(strings.Repeat("x", job.MaxName-prefix)), ""},
		{app(strings.Repeat("x", job.MaxName-prefix+1)), `job name is invalid "app||ns||app||` + strings.Repeat("x", job.MaxName-prefix+1) + `": must be at most 512 characters`},
		{app("a/b"), `job name is invalid "app||ns||app||a/b": must not contain '/', '\', '#' or '?'`},
		{app(`a\b`), `job name is invalid "app||ns||app||a\\b": must not contain '/', '\', '#' or '?'`},
		{app("a#b"), `job name is invalid "app||ns||app||a#b": must not contain '/', '\', '#' or '?'`},
		{app("a?b"), `job name is invalid "app||ns||app||a?b": must not contain '/', '\', '#' or '?'`},
		{app("a\x00b"), `job name is invalid "app||ns||app||a\x00b": must not contain control characters`},
		{app("a\nb"), `job name is invalid "app||ns||app||a\nb": must not contain control characters`},
		{app("a\u0085b"), `job name is invalid "app||ns||app||a\u0085b": must not contain control characters`},
		{reminder, `job name is invalid "actorreminder||ns||type||i/d||a": must not contain '/', '\', '#' or '?'`},
	} {
		err := c.key.Check()
		var invalid *job.InvalidError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("Check(%q) = %v, want nil", c.key.Name, err)
		case c.want != "" && (!errors.As(err, &invalid) || invalid.Field != "name" || invalid.Reason != c.want):
			t.Errorf("Check(%q) = %v, want %s", c.key.Name, err, c.want)
		}
	}
}

// A user knows the name, and not the composite one that it is a part of.
func TestKeyCheckNamesWrongPart(t *testing.T) {
	key := func(kind job.Kind, namespace, target, id, name string) job.Key {
		return job.Key{Target: job.Target{Kind: kind, Namespace: namespace, Name: target}, ActorID: id, Name: name}
	}
	for k, want := range map[job.Key]string{
		key(job.App, "ns", "app", "", "a/b"):                       `the name of the job is "a/b": leave out the '/', or write a hyphen`,
		key(job.App, "ns", "app", "", "a\tb"):                      `the name of the job is "a\tb": leave out the '\t', or write a hyphen`,
		key(job.App, "ns", "a#p", "", "a"):                         `the app id is "a#p": leave out the '#', or write a hyphen`,
		key(job.App, "n?s", "app", "", "a"):                        `the namespace is "n?s": leave out the '?', or write a hyphen`,
		key(job.Actor, "ns", "t/t", "id", "a"):                     `the actor type is "t/t": leave out the '/', or write a hyphen`,
		key(job.Actor, "ns", "type", "i/d", "a"):                   `the actor id is "i/d": leave out the '/', or write a hyphen`,
		key(job.App, "ns", "app", "", strings.Repeat("x", 513)):    `the name of the job has 513 bytes: shorten it by 15`,
		key(job.App, "ns", strings.Repeat("x", 500), "", "longer"): `the app id has 500 bytes: shorten it by 5`,
	} {
		var invalid *job.InvalidError
		if err := k.Check(); !errors.As(err, &invalid) || invalid.Help != want || err.Error() != invalid.Reason+": "+want {
			t.Errorf("Check(%.60q) = %v, want the help %q", k, err, want)
		}
	}
}

func TestPolicyRetry(t *testing.T) {
	due := time.Unix(1000, 5).UTC()
	for _, c := range []struct {
		name     string
		policy   job.Policy
		failures uint32
		want     time.Time // zero: given up
	}{
		{"default, first", job.DefaultPolicy(), 1, due.Add(time.Second)},
		{"default, last", job.DefaultPolicy(), 3, due.Add(time.Second)},
		{"default, given up", job.DefaultPolicy(), 4, time.Time{}},
		{"drop", job.Policy{Drop: true}, 1, time.Time{}},
		{"none allowed", job.Policy{MaxRetries: new(uint32(0))}, 1, time.Time{}},
		{"for ever, without an interval", job.Policy{}, math.MaxUint32, due.Add(time.Millisecond)},
		{"an interval of zero is the shortest", job.Policy{Interval: new(time.Duration(0))}, 1, due.Add(time.Millisecond)},
		{"a negative interval is the shortest", job.Policy{Interval: new(-time.Hour)}, 1, due.Add(time.Millisecond)},
		{"an interval below the shortest", job.Policy{Interval: new(time.Nanosecond)}, 1, due.Add(time.Millisecond)},
		{"the shortest interval", job.Policy{Interval: new(time.Millisecond)}, 1, due.Add(time.Millisecond)},
		{"an interval above the shortest", job.Policy{Interval: new(1500 * time.Microsecond)}, 1, due.Add(1500 * time.Microsecond)},
		{"the longest interval", job.Policy{Interval: new(time.Duration(math.MaxInt64))}, 1, due.Add(math.MaxInt64)},
	} {
		got, ok := c.policy.Retry(due, c.failures)
		if ok != !c.want.IsZero() || !got.Equal(c.want) {
			t.Errorf("%s: Retry = %v, %v, want %v", c.name, got, ok, c.want)
		}
	}
}

func TestRetryStaysInRange(t *testing.T) {
	last := time.Date(10000, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	got, ok := job.Policy{Interval: new(time.Duration(math.MaxInt64))}.Retry(last.AddDate(-1, 0, 0), 1)
	if !ok || got != last {
		t.Errorf("Retry = %v, %v, want the last instant there is, %v", got, ok, last)
	}
}

func TestResolveErrorUsesDaprsWords(t *testing.T) {
	s := job.Spec{Words: when.Words{Schedule: new("1 2 3")}}
	var invalid *job.InvalidError
	err := s.Resolve(time.Now())
	if want := "job failed validation: expected exactly 6 fields, found 3: [1 2 3]"; !errors.As(err, &invalid) || invalid.Reason != want || invalid.Field != "schedule" {
		t.Errorf("Resolve = %v, want %s", err, want)
	}
}

func TestKeyAttrs(t *testing.T) {
	for want, k := range map[string]job.Key{
		"[app=shop namespace=ns job=a]": {Target: job.Target{Kind: job.App, Namespace: "ns", Name: "shop"}, Name: "a"},
		"[actor_type=cart actor_id=7 namespace=ns job=a]": {
			Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "cart"}, ActorID: "7", Name: "a",
		},
	} {
		if got := fmt.Sprint(k.Attrs()); got != want {
			t.Errorf("the attributes of %v are %s, want %s", k, got, want)
		}
	}
}
