package record

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"
	"time"

	"carillon/internal/job"
)

func keyOf(actor bool, ns, target, id, name string) job.Key {
	k := job.Key{Target: job.Target{Kind: job.App, Namespace: ns, Name: target}, Name: name}
	if actor {
		k.Target.Kind, k.ActorID = job.Actor, id
	}
	return k
}

func compareKeys(a, b job.Key) int {
	return cmp.Or(
		cmp.Compare(a.Target.Kind, b.Target.Kind), cmp.Compare(a.Target.Namespace, b.Target.Namespace),
		cmp.Compare(a.Target.Name, b.Target.Name), cmp.Compare(a.ActorID, b.ActorID), cmp.Compare(a.Name, b.Name))
}

// FuzzKeyOrderIsTupleOrder holds that the order of bytes is the order of tuples, that different keys have
// different bytes, and that an index key can be read back.
func FuzzKeyOrderIsTupleOrder(f *testing.F) {
	f.Add(false, "ns", "app", "", "a", false, "ns", "app", "", "b", int64(1), int64(2))
	f.Add(true, "ns", "type", "id", "a", true, "ns", "type", "i", "d\x00a", int64(-1), int64(1))
	f.Add(false, "n\x00", "s", "", "", false, "n", "\x00s", "", "", int64(0), int64(0))
	f.Add(false, "n\x01", "\x02", "", "\xff", false, "n", "\x01\x02", "", "\xff\xff", int64(1<<63-1), int64(-1<<63))
	f.Fuzz(func(t *testing.T, actorA bool, nsA, appA, idA, nameA string, actorB bool, nsB, appB, idB, nameB string, dueA, dueB int64) {
		a, b := keyOf(actorA, nsA, appA, idA, nameA), keyOf(actorB, nsB, appB, idB, nameB)
		if got, want := bytes.Compare(JobKey(a), JobKey(b)), compareKeys(a, b); got != want {
			t.Errorf("jobKey orders %+v and %+v as %d, want %d", a, b, got, want)
		}
		for due, k := range map[int64]job.Key{dueA: a, dueB: b} {
			if first := cmp.Or(k.ActorID, k.Name); due == math.MaxInt64 && strings.HasPrefix(first, "\xff") {
				return // names are UTF-8, and instants behind the last narrow one are told from them by that
			}
		}
		ea, eb := Entry{Due: time.Unix(0, dueA).UTC(), Key: a, Partition: 7}, Entry{Due: time.Unix(0, dueB).UTC(), Key: b, Partition: 7}
		got, err := ParseDueKey(DueKey(ea))
		if err != nil || got != ea {
			t.Errorf("parseDue(dueKey(%+v)) = %+v, %v", ea, got, err)
		}
		if a.Target != b.Target {
			return
		}
		if got, want := bytes.Compare(DueKey(ea), DueKey(eb)), ea.Compare(eb); got != want {
			t.Errorf("dueKey orders %+v and %+v as %d, want %d", ea, eb, got, want)
		}
		if r := LaneRange(LaneID{7, a.Target}); bytes.Compare(DueKey(ea), r.From) < 0 || bytes.Compare(DueKey(ea), r.To) >= 0 {
			t.Errorf("%+v lies outside its lane", ea)
		}
		if r := RangeAfter(ea); (bytes.Compare(DueKey(eb), r.From) >= 0) != (eb.Compare(ea) > 0) {
			t.Errorf("%+v: what follows it is not what is greater: %+v", ea, eb)
		}
	})
}

// FuzzParseDueKeyNeverPanics holds that rubbish in the index is an error.
func FuzzParseDueKeyNeverPanics(f *testing.F) {
	f.Add(DueKey(Entry{Due: time.Unix(1, 0), Key: keyOf(true, "ns", "type", "id", "name"), Partition: 1}))
	f.Add([]byte("d"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if e, err := ParseDueKey(key); err == nil && !bytes.Equal(DueKey(e), key) {
			t.Errorf("%x was read as %+v, which is not written so", key, e)
		}
	})
}

func TestKeysSpreadOverAllPartitions(t *testing.T) {
	var counts [64]int
	for i := range 64_000 {
		counts[PartitionOf(keyOf(false, "ns", "app", "", "job"+time.Duration(i).String()), 64)]++
	}
	for p, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("partition %d has %d of 64,000 keys, want about 1,000", p, n)
		}
	}
}

func TestTruncatedJobKeyIsRefused(t *testing.T) {
	whole := JobKey(keyOf(true, "ns", "type", "id", "name"))
	if _, err := ParseJobKey(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if k, err := ParseJobKey(whole[:n]); err == nil {
			t.Errorf("%x, which is cut short, was read as %+v", whole[:n], k)
		}
	}
	for _, change := range []func(b []byte) []byte{
		func(b []byte) []byte { b[0] = tagState; return b },
		func(b []byte) []byte { b[1] = 9; return b }, // the kind
		func(b []byte) []byte { return append(b, 'x') },
	} {
		b := change(bytes.Clone(whole))
		if k, err := ParseJobKey(b); err == nil {
			t.Errorf("%x was read as %+v", b, k)
		}
	}
}

func TestKindOfKey(t *testing.T) {
	k := keyOf(true, "ns", "type", "id", "name")
	for _, c := range []struct {
		key          []byte
		ofJob, isJob bool
	}{
		{JobKey(k), true, true},
		{StateKey(k), true, false},
		{DueKey(Entry{Key: k}), true, false},
		{FormatKey(), false, false},
		{EncryptionKey("a"), false, false},
		{NoteKey(JobKey(k)), false, false},
		{EncryptionCheckKey("a"), false, false},
		{nil, true, false},
		{[]byte{tagJob}, true, true},
	} {
		if IsOfJob(c.key) != c.ofJob || IsJob(c.key) != c.isJob {
			t.Errorf("%q is about a job: %v, and is a job: %v", c.key, IsOfJob(c.key), IsJob(c.key))
		}
	}
}
