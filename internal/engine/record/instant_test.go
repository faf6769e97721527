package record

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func first() time.Time { return when.Clamp(time.Unix(math.MinInt64/4, 0)) }

func last() time.Time { return when.Clamp(time.Unix(math.MaxInt64/4, 0)) }

// edges are the instants around which the form of instants changes, and the first and the last that may be due.
func edges() []time.Time {
	var all []time.Time
	year9999 := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for _, t := range []time.Time{{}, time.Unix(0, 0), time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64), year9999, first(), last()} {
		for _, d := range []time.Duration{-time.Second, -1, 0, 1, time.Second} {
			all = append(all, when.Clamp(t.Add(d)))
		}
	}
	return all
}

// randomDue is any instant that may be due, or one near an edge.
func randomDue(r *rand.Rand) time.Time {
	if r.IntN(3) == 0 {
		all := edges()
		return when.Clamp(all[r.IntN(len(all))].Add(time.Duration(r.IntN(20) - 10)))
	}
	return time.Unix(first().Unix()+r.Int64N(last().Unix()-first().Unix()), r.Int64N(1e9)).UTC()
}

func TestKeyOrderIsInstantOrderInAllYears(t *testing.T) {
	check := func(a, b time.Time) {
		t.Helper()
		for _, name := range []string{"", "a", "\x00", "\U0010ffff"} {
			for _, other := range []string{"", "a", "\x00", "\U0010ffff"} {
				ea, eb := Entry{Due: a, Key: keyOf(false, "ns", "app", "", name), Partition: 7}, Entry{Due: b, Key: keyOf(false, "ns", "app", "", other), Partition: 7}
				if got, want := bytes.Compare(DueKey(ea), DueKey(eb)), ea.Compare(eb); got != want {
					t.Fatalf("dueKey orders %v %q and %v %q as %d, want %d", a, name, b, other, got, want)
				}
				if got, err := ParseDueKey(DueKey(ea)); err != nil || got != ea {
					t.Fatalf("parseDue(dueKey(%+v)) = %+v, %v", ea, got, err)
				}
				if r := RangeAfter(ea); (bytes.Compare(DueKey(eb), r.From) >= 0) != (eb.Compare(ea) > 0) {
					t.Fatalf("%+v: what follows it is not what is greater: %+v", ea, eb)
				}
			}
		}
	}
	for year := 0; year <= 9999; year++ {
		start := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		check(start, start.Add(-1))
	}
	for _, a := range edges() {
		for _, b := range edges() {
			check(a, b)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		check(randomDue(r), randomDue(r))
	}
}

// What earlier versions have stored is found where it is: the form of keys never changes.
func TestDueKeyFormatNeverChanges(t *testing.T) {
	for text, due := range map[string]time.Time{
		"9800000000000001": time.Unix(0, 0x1800000000000001).UTC(),
		"7fffffffffffffff": time.Unix(0, -1).UTC(),
		"0000000000000001": time.Unix(0, math.MinInt64+1).UTC(),
		"ffffffffffffffff": time.Unix(0, math.MaxInt64).UTC(),
		"ffffffffffffffffff" + "8000003afff4417f3b9ac9ff": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		"0000000000000000" + "7ffffff1886e090000000000":   {},
	} {
		e := Entry{Due: due, Key: keyOf(false, "ns", "app", "", "name"), Partition: 7}
		want := hex.EncodeToString([]byte("d\x00\x07\x01ns\x00app\x00")) + text + hex.EncodeToString([]byte("name\x00"))
		if got := hex.EncodeToString(DueKey(e)); got != want {
			t.Errorf("%v is written as\n%s, want\n%s", due, got, want)
		}
		key, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseDueKey(key); err != nil || got != e {
			t.Errorf("%s is read as %+v, %v, want %+v", want, got, err, e)
		}
	}
}

// A record keeps each instant, and earlier versions can read it if they could have written it.
func TestRecordsKeepEveryInstant(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	instants := edges()
	for range 2000 {
		instants = append(instants, randomDue(r))
	}
	for i, first := range instants {
		until := instants[(i*7+1)%len(instants)]
		spec := job.Spec{Words: when.Words{DueTime: new("x"), TTL: new("y")}, Plan: when.Plan{First: first, Until: until}, AppID: "app"}
		record := EncodeSpec(recordKey, &spec)
		got, err := DecodeSpec(recordKey, record)
		if err != nil || got.Plan != spec.Plan {
			t.Fatalf("%v is read as %v, %v", spec.Plan, got, err)
		}
		if wide := record[0] == wideSpecVersion; wide != (!fitsNarrow(first) || !fitsNarrow(until)) {
			t.Errorf("%v is written in version %d", spec.Plan, record[0])
		}
		state := State{Settled: 1, Last: first, Attempts: 1, Occurrence: until, Due: first}
		if got, err := DecodeState(recordKey, EncodeState(state)); err != nil || got != state {
			t.Fatalf("%v is read as %v, %v", state, got, err)
		}
	}
	for _, bad := range []time.Time{time.Unix(1<<62, 0), time.Unix(-1<<62, 0)} {
		if _, err := DecodeState(recordKey, EncodeState(State{Last: bad})); err == nil {
			t.Errorf("%v is read", bad)
		}
	}
}

// FuzzInstantsInKeys holds that two keys of the index are in the order of their instants, and that each is read back.
func FuzzInstantsInKeys(f *testing.F) {
	for _, t := range edges() {
		f.Add(t.Unix(), uint32(t.Nanosecond()), t.Unix(), uint32(t.Nanosecond()+1), "a", "b")
	}
	f.Fuzz(func(t *testing.T, secondA int64, restA uint32, secondB int64, restB uint32, nameA, nameB string) {
		a, b := time.Unix(secondA, int64(restA)).UTC(), time.Unix(secondB, int64(restB)).UTC()
		if !when.InRange(a) || !when.InRange(b) || bytes.HasPrefix([]byte(nameA), []byte{wideMark}) || bytes.HasPrefix([]byte(nameB), []byte{wideMark}) {
			return
		}
		ea, eb := Entry{Due: a, Key: keyOf(false, "ns", "app", "", nameA), Partition: 7}, Entry{Due: b, Key: keyOf(false, "ns", "app", "", nameB), Partition: 7}
		if got, want := bytes.Compare(DueKey(ea), DueKey(eb)), ea.Compare(eb); got != want {
			t.Errorf("dueKey orders %+v and %+v as %d, want %d", ea, eb, got, want)
		}
		if got, err := ParseDueKey(DueKey(ea)); err != nil || got != ea {
			t.Errorf("parseDue(dueKey(%+v)) = %+v, %v", ea, got, err)
		}
	})
}
