package record

import (
	"bytes"
	"cmp"
	"testing"

	"carillon/internal/job"
)

func TestTargetKeysRoundTripInOrder(t *testing.T) {
	var all []job.Target
	for _, kind := range []job.Kind{job.App, job.Actor} {
		for _, namespace := range []string{"", "a", "a\x00", "a\x01", "b"} {
			for _, name := range []string{"", "\x00", "x", "x:%", "ü"} {
				all = append(all, job.Target{Kind: kind, Namespace: namespace, Name: name})
			}
		}
	}
	for _, a := range all {
		if got, err := ParseTarget(TargetKey(a)); err != nil || got != a {
			t.Errorf("ParseTarget(TargetKey(%+v)) = %+v, %v", a, got, err)
		}
		for _, b := range all {
			want := cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
			if got := bytes.Compare(TargetKey(a), TargetKey(b)); got != want {
				t.Errorf("the keys of %+v and %+v compare as %d, want %d", a, b, got, want)
			}
			r, k := TargetRange(a), JobKey(job.Key{Target: b, ActorID: "1", Name: "j"})
			if in := bytes.Compare(k, r.From) >= 0 && bytes.Compare(k, r.To) < 0; in != (a == b) {
				t.Errorf("a job of %+v lies in the range of %+v: %v", b, a, in)
			}
		}
	}
	for _, b := range [][]byte{nil, {1}, {1, 'a', 0}, {3, 'a', 0, 'b', 0}, {1, 'a', 0, 'b', 0, 'c'}} {
		if got, err := ParseTarget(b); err == nil {
			t.Errorf("ParseTarget(%x) = %+v, want an error", b, got)
		}
	}
}
