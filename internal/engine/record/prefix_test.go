package record

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"carillon/internal/job"
)

// FuzzPrefixNamesExactlyItsJobs holds that the records of the jobs that a prefix names lie in its range, and no
// others do, whatever bytes the names have; and that the key of each can be read back.
func FuzzPrefixNamesExactlyItsJobs(f *testing.F) {
	f.Add(false, "test", "app", "", "job", "test", "app", "", byte(1), false)
	f.Add(false, "test-1", "app", "", "job", "test", "", "", byte(0), false)
	f.Add(true, "ns", "type", "id-1", "job", "ns", "type", "id", byte(1), true)
	f.Add(true, "ns", "type", "id", "job", "ns", "type", "id\x00", byte(2), true)
	f.Add(false, "n\x01\x00", "a\x00b", "", "\x01", "n\x01\x00", "a", "\x00", byte(1), false)
	f.Fuzz(func(t *testing.T, actor bool, ns, target, id, name, ofNS, first, rest string, whole byte, ofActor bool) {
		k := keyOf(actor, ns, target, id, name)
		if got, err := ParseJobKey(JobKey(k)); err != nil || got != k {
			t.Errorf("parseJob(jobKey(%+v)) = %+v, %v", k, got, err)
		}
		p := job.Prefix{Kind: job.App, Namespace: ofNS, Rest: rest}
		parts := []string{target, name}
		if ofActor {
			p.Kind = job.Actor
		}
		if actor {
			parts = []string{target, id, name}
		}
		if whole%2 == 1 {
			p.Parts = []string{first}
		}
		n := len(p.Parts)
		named := k.Target.Kind == p.Kind && ns == ofNS && slices.Equal(parts[:n], p.Parts) && strings.HasPrefix(parts[n], rest)
		r := PrefixRange(p)
		if in := bytes.Compare(JobKey(k), r.From) >= 0 && (r.To == nil || bytes.Compare(JobKey(k), r.To) < 0); in != named {
			t.Errorf("%+v lies in the range of %+v: %v, want %v", k, p, in, named)
		}
	})
}

// FuzzParseJobKeyNeverPanics holds that rubbish in the place of a key is an error.
func FuzzParseJobKeyNeverPanics(f *testing.F) {
	f.Add(JobKey(keyOf(true, "ns", "type", "id", "name")))
	f.Add([]byte("j"))
	f.Add([]byte("j\x01\x01\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if k, err := ParseJobKey(key); err == nil && !bytes.Equal(JobKey(k), key) {
			t.Errorf("%x was read as %+v, which is not written so", key, k)
		}
	})
}
