package record

import (
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/encryption"
	"carillon/internal/job"
	"carillon/internal/store"
	"carillon/internal/when"
)

var recordKey = keyOf(false, "ns", "app", "", "name")

func fullSpec(t testing.TB) job.Spec {
	t.Helper()
	s := job.Spec{
		Words: when.Words{
			Schedule: new("TZ=Europe/Berlin 0 30 9 * * MON-FRI"), DueTime: new("2026-01-02T03:04:05.000000006Z"),
			TTL: new("P1Y"), Repeats: new(uint32(9)),
		},
		Policy:         job.Policy{Interval: new(-time.Second), MaxRetries: new(uint32(0))},
		Data:           &job.Data{TypeURL: "type.googleapis.com/google.protobuf.Value", Value: []byte("\x1a\x02hi")},
		AppID:          "somebody else",
		ConcurrencyKey: new(""),
	}
	if err := s.Resolve(time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return s
}

// records returns one of each record that this version writes, by the name of the file that keeps it for ever.
func records(t testing.TB) map[string][]byte {
	spec := fullSpec(t)
	oneShot := job.Spec{Words: when.Words{DueTime: new("30s")}, Plan: when.Plan{First: time.Unix(30, 0).UTC()}, Policy: job.DefaultPolicy(), AppID: "app"}
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	far := spec
	far.Plan.First, far.Plan.Until = time.Time{}, last
	labelled, described := oneShot, spec
	labelled.Ext = &job.Ext{Labels: []job.Label{{Key: "example.com/team", Value: "billing"}, {Key: "urgent"}}}
	described.Ext = &job.Ext{Labels: labelled.Ext.Labels, Description: "sends “the” invoices\nof a day"}
	return map[string][]byte{
		"spec-v1-full":     EncodeSpec(recordKey, &spec),
		"spec-v1-one-shot": EncodeSpec(recordKey, &oneShot),
		"spec-v1-drop":     EncodeSpec(recordKey, &job.Spec{Plan: oneShot.Plan, Policy: job.Policy{Drop: true}, AppID: "app", Data: &job.Data{}}),
		"state-v1":         EncodeState(State{Settled: 3, Last: time.Unix(1, 2).UTC(), Due: time.Unix(3, 4).UTC()}),
		"state-v1-retry":   EncodeState(State{Attempts: 300, Occurrence: time.Unix(1, 2).UTC(), Due: time.Unix(3, 4).UTC()}),

		"spec-v3-one-shot": EncodeSpec(recordKey, &job.Spec{Words: when.Words{DueTime: new(last.Format(time.RFC3339Nano))}, Plan: when.Plan{First: last}, Policy: job.DefaultPolicy(), AppID: "app"}),
		"spec-v3-full":     EncodeSpec(recordKey, &far),
		"spec-v4-one-shot": EncodeSpec(recordKey, &labelled),
		"spec-v4-full":     EncodeSpec(recordKey, &described),
		"state-v2":         EncodeState(State{Settled: 3, Last: time.Date(2262, 4, 11, 0, 0, 0, 0, time.UTC), Due: time.Date(2262, 4, 12, 0, 0, 0, 7, time.UTC)}),
		"state-v2-retry":   EncodeState(State{Attempts: 300, Occurrence: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Due: last}),
	}
}

var rewriteRecords = flag.Bool("rewrite-records", false, "write the records of a new format version to testdata")

// TestRecordFormatsNeverChange compares each record with the one that testdata has kept since its
// format was made. A format that has been released never changes; a new one gets new files beside the old ones.
func TestRecordFormatsNeverChange(t *testing.T) {
	for name, record := range records(t) {
		path := filepath.Join("testdata", "golden", name+".hex")
		if *rewriteRecords {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(record)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(record); got != strings.TrimSpace(string(kept)) {
			t.Errorf("%s is written as\n%s, and was\n%s", name, got, kept)
		}
	}
}

// A sealed record is another each time; the one that testdata keeps has to open for ever, with the keys beside it.
func TestSealedRecordsStayReadable(t *testing.T) {
	keys, err := encryption.Open(filepath.Join("testdata", "golden", "keys"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := t.Context(), EncryptedStore{openStore(t), keys}
	want := fullSpec(t)
	path := filepath.Join("testdata", "golden", "spec-v2-sealed.hex")
	if *rewriteRecords {
		var b store.Batch
		b.Put(JobKey(recordKey), EncodeSpec(recordKey, &want))
		if err := s.Commit(ctx, &b); err != nil {
			t.Fatal(err)
		}
		values, err := s.Store.Get(ctx, JobKey(recordKey))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(hex.EncodeToString(values[0])+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Put(JobKey(recordKey), kept)
	if err := s.Store.Commit(ctx, &b); err != nil {
		t.Fatal(err)
	}
	values, err := s.Get(ctx, JobKey(recordKey))
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeSpec(recordKey, values[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got, cmp.Comparer(sameRule)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSpecRoundTrip(t *testing.T) {
	some := []job.Label{{Key: "a", Value: ""}, {Key: "b", Value: "c"}}
	for _, k := range []job.Key{recordKey, keyOf(true, "ns", "type", "id", "name")} {
		for _, ext := range []*job.Ext{nil, {Labels: some}, {Description: "d"}, {Labels: some, Description: "d"}} {
			want := fullSpec(t)
			want.Ext = ext
			got, err := DecodeSpec(k, EncodeSpec(k, &want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&want, got, cmp.Comparer(sameRule)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", k, diff)
			}
		}
	}
}

func TestMalformedLabelsAreRefused(t *testing.T) {
	write := func(version byte, flags uint64, rest string) []byte {
		e := encoder{version}
		e.uint(flags)
		e.instant(time.Unix(1, 0).UTC(), version != specVersion)
		return append(e, rest...)
	}
	const one, two = "\x01\x01a\x01b", "\x02\x01a\x00\x01b\x00"
	for _, rest := range []string{one, two} {
		if _, err := DecodeSpec(recordKey, write(extSpecVersion, hasLabels, rest)); err != nil {
			t.Errorf("the labels %q are not read: %v", rest, err)
		}
		for _, version := range []byte{specVersion, wideSpecVersion} {
			if s, err := DecodeSpec(recordKey, write(version, hasLabels, rest)); !errors.Is(err, ErrMalformed) {
				t.Errorf("version %d has the labels %q: %v, %v", version, rest, s, err)
			}
		}
	}
	for what, record := range map[string][]byte{
		"no labels":            write(extSpecVersion, hasLabels, "\x00"),
		"too few labels":       write(extSpecVersion, hasLabels, "\x02"+one[1:]),
		"as many as there are": write(extSpecVersion, hasLabels, "\xff\xff\xff\xff\x0f"+one[1:]),
		"a key twice":          write(extSpecVersion, hasLabels, "\x02\x01a\x00\x01a\x00"),
		"another order":        write(extSpecVersion, hasLabels, "\x02\x01b\x00\x01a\x00"),
		"no description":       write(extSpecVersion, hasDescription, "\x00"),
		"an unknown flag":      write(extSpecVersion, specFlags, ""),
	} {
		if s, err := DecodeSpec(recordKey, record); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v, want an error", what, s, err)
		}
	}
}

// sameRule compares rules by what they do.
func sameRule(a, b when.Rule) bool {
	t := time.Unix(0, 0)
	nextA, okA := a.Next(t)
	nextB, okB := b.Next(t)
	return okA == okB && nextA.Equal(nextB)
}

func TestOneShotTakesFewBytes(t *testing.T) {
	const name, payload = "a-name-of-twenty-four-by", 64
	spec := job.Spec{
		Words: when.Words{DueTime: new("30s")}, Plan: when.Plan{First: time.Now()}, Policy: job.DefaultPolicy(), AppID: "app",
		Data: &job.Data{Value: make([]byte, payload)},
	}
	k := keyOf(false, "default", "app", "", name)
	record := len(JobKey(k)) + len(EncodeSpec(k, &spec))
	index := len(DueKey(Entry{Due: spec.Plan.First, Key: k}))
	if got, most := record+index-payload-2*len(name), 64; got > most {
		t.Errorf("a one-shot takes %d bytes beyond its payload and names, want %d at most", got, most)
	}
}

func FuzzDecodeNeverPanics(f *testing.F) {
	for _, r := range records(f) {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := DecodeSpec(recordKey, b); err == nil {
			again, err := DecodeSpec(recordKey, EncodeSpec(recordKey, s))
			if err != nil {
				t.Fatalf("%x was read, and is not when it is written again: %v", b, err)
			}
			if diff := cmp.Diff(s, again, cmp.Comparer(sameRule)); diff != "" {
				t.Errorf("%x: (-first +again):\n%s", b, diff)
			}
		}
		if s, err := DecodeState(recordKey, b); err == nil {
			if again, err := DecodeState(recordKey, EncodeState(s)); err != nil || again != s {
				t.Errorf("%x was read as %+v, and then as %+v, %v", b, s, again, err)
			}
		}
	})
}

func TestDamagedRecordIsAnError(t *testing.T) {
	for name, record := range records(t) {
		decode := func(b []byte) error {
			if strings.HasPrefix(name, "state") {
				_, err := DecodeState(recordKey, b)
				return err
			}
			_, err := DecodeSpec(recordKey, b)
			return err
		}
		if err := decode(record); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		newer := append([]byte{99}, record[1:]...)
		if err := decode(newer); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "format 99") {
			t.Errorf("%s of a later version: %v, want an error that names it", name, err)
		}
		for n := range record {
			if strings.HasPrefix(name, "spec") && n >= len(record)-4 {
				continue // the payload has no length of its own: the store's checksums guard it
			}
			if err := decode(record[:n]); err == nil {
				t.Errorf("%s cut to %d bytes of %d is not an error", name, n, len(record))
			}
		}
	}
}

func TestTruncatedPolicyIsRefused(t *testing.T) {
	for _, p := range []job.Policy{{Interval: new(time.Hour)}, {MaxRetries: new(uint32(300))}} {
		whole := EncodeSpec(recordKey, &job.Spec{Policy: p, AppID: "app"})
		if s, err := DecodeSpec(recordKey, whole); err != nil || !s.Policy.Equal(p) {
			t.Errorf("%+v is read as %+v, %v", p, s, err)
		}
		for n := range whole {
			if s, err := DecodeSpec(recordKey, whole[:n]); err == nil {
				t.Errorf("a record cut to %d bytes of %d is read as %+v", n, len(whole), s)
			}
		}
	}
}
