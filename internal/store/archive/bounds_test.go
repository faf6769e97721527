package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/store"
	"carillon/internal/store/archive"
)

// A shelf is a store in memory that knows the sizes of its batches.
type shelf struct {
	pairs         []store.Pair // in their order
	writes, bytes int          // of a batch
	batches       []string     // "writes/bytes" of each commit
	broken        error        // of a commit
	unread        error        // of a scan, after its pairs
}

func (s *shelf) Get(context.Context, ...[]byte) ([][]byte, error) { panic("nobody asks") }

func (s *shelf) Scan(_ context.Context, _ store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		for i, p := range s.pairs {
			if limit > 0 && i == limit || !yield(p, nil) {
				return
			}
		}
		if s.unread != nil {
			yield(store.Pair{}, s.unread)
		}
	}
}

func (s *shelf) Commit(_ context.Context, b *store.Batch) error {
	size := 0
	for _, w := range b.Writes {
		size += len(w.Key) + len(w.Value)
		s.pairs = append(s.pairs, store.Pair{Key: bytes.Clone(w.Key), Value: bytes.Clone(w.Value)})
	}
	s.batches = append(s.batches, fmt.Sprintf("%d/%d", len(b.Writes), size))
	return s.broken
}

func (s *shelf) MaxBatch() (writes, size int) { return s.writes, s.bytes }

// shelved returns a shelf of so many pairs, of which each value has so many bytes. The keys of jobs
// are those that are even.
func shelved(n, size int) *shelf {
	s := &shelf{writes: 10_000, bytes: 4 << 20}
	for i := range n {
		s.pairs = append(s.pairs, store.Pair{Key: fmt.Appendf(nil, "%06d", i), Value: bytes.Repeat([]byte{byte(i)}, size)})
	}
	return s
}

func even(key []byte) bool { return key[len(key)-1]%2 == 0 }

func TestProgressCountsJobs(t *testing.T) {
	var told []int
	progress := func(jobs int) { told = append(told, jobs) }
	var file bytes.Buffer
	if jobs, err := archive.Write(t.Context(), &file, shelved(20_001, 1), even, progress); err != nil || jobs != 10_001 {
		t.Errorf("Write = %d, %v; want 10,001 jobs", jobs, err)
	}
	if diff := cmp.Diff([]int{5000, 10_000}, told); diff != "" {
		t.Errorf("Write tells (-want +got):\n%s", diff)
	}
	told = nil
	file.Reset()
	if _, err := archive.Write(t.Context(), &file, shelved(2500, 1), even, progress); err != nil || told != nil {
		t.Errorf("Write of a few tells %v, %v", told, err)
	}
	into := &shelf{writes: 10_000, bytes: 4 << 20}
	if jobs, err := archive.Read(t.Context(), &file, into, even, everything, progress); err != nil || jobs != 1250 {
		t.Errorf("Read = %d, %v; want 1250 jobs", jobs, err)
	}
	if diff := cmp.Diff([]int{500, 1000, 1250}, told); diff != "" {
		t.Errorf("Read tells (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(shelved(2500, 1).pairs, into.pairs); diff != "" {
		t.Errorf("what was restored (-want +got):\n%s", diff)
	}
}

func TestRestoreBatchesAreBounded(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name          string
		from          *shelf
		writes, bytes int
		want          string
	}{
		{"nothing", shelved(0, 0), 10, 100, "[]"},
		{"few", shelved(3, 4), 10, 100, "[3/30]"},
		{"as many writes as a batch may have", shelved(10, 4), 10, 1000, "[10/100]"},
		{"more", shelved(11, 4), 10, 1000, "[10/100 1/10]"},
		{"as many bytes as a batch may have", shelved(10, 4), 100, 100, "[10/100]"},
		{"more bytes", shelved(11, 4), 100, 109, "[10/100 1/10]"},
		{"values larger than a batch", shelved(2, 200), 100, 100, "[1/206 1/206]"},
		{"of a store with large batches", shelved(1001, 0), 10_000, 4 * mib, "[1000/6000 1/6]"},
		{"of large values", shelved(3, mib/2), 10_000, 4 * mib, fmt.Sprintf("[1/%d 1/%d 1/%d]", mib/2+6, mib/2+6, mib/2+6)},
		{"of a MiB", shelved(4, mib/4-6), 10_000, 4 * mib, fmt.Sprintf("[4/%d]", mib)},
	} {
		into := &shelf{writes: c.writes, bytes: c.bytes}
		_, err := archive.Read(t.Context(), bytes.NewReader(archived(t, c.from)), into, even, everything, quiet)
		if got := fmt.Sprint(into.batches); err != nil || got != c.want {
			t.Errorf("%s: the batches have %s, %v; want %s", c.name, got, err, c.want)
		}
		if diff := cmp.Diff(c.from.pairs, into.pairs, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Errorf("%s: what was restored (-want +got):\n%s", c.name, diff)
		}
	}
}

// A narrow writer takes so many bytes.
type narrow struct{ left int }

var errNarrow = errors.New("no space left")

func (w *narrow) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errNarrow
	}
	return len(b), nil
}

func TestFailedBackupOrRestoreSaysWhere(t *testing.T) {
	large := shelved(3, 1<<20)
	size := len(archived(t, large))
	for _, left := range []int{0, size - 1<<20, size - 5, size - 1} {
		if _, err := archive.Write(t.Context(), &narrow{left}, large, even, quiet); fmt.Sprint(err) != "write the archive: no space left" {
			t.Errorf("Write where %d bytes of %d go = %v", left, size, err)
		}
	}
	if jobs, err := archive.Write(t.Context(), &narrow{size}, large, even, quiet); jobs != 2 || err != nil {
		t.Errorf("Write where all goes = %d, %v", jobs, err)
	}
	unread := shelved(3, 1)
	unread.unread = errors.New("broken")
	if jobs, err := archive.Write(t.Context(), new(bytes.Buffer), unread, even, quiet); jobs != 2 || fmt.Sprint(err) != "read the store: broken" {
		t.Errorf("Write of what cannot be read = %d, %v", jobs, err)
	}
	file := archived(t, shelved(3, 1))
	none := func([]byte) bool { return false }
	for _, c := range []struct {
		name  string
		into  *shelf
		ofJob func([]byte) bool
		want  string
	}{
		{"a store that cannot be read", &shelf{unread: errors.New("broken")}, everything, "read the store: broken"},
		{"a store in use", shelved(1, 1), everything, "the store has jobs: restore into an empty store"},
		{"a store that cannot be written", &shelf{writes: 10, bytes: 100, broken: errors.New("broken")}, everything, "write to the store: broken"},
		{"a store that takes a write at a time, and cannot be written", &shelf{writes: 1, bytes: 100, broken: errors.New("broken")}, everything, "write to the store: broken"},
		{"a store of another kind", &shelf{writes: 10, bytes: 100, pairs: []store.Pair{{Key: []byte("000001"), Value: []byte("other")}}}, none, "the store does not match the backup"},
		{"a store of the same kind", &shelf{writes: 10, bytes: 100, pairs: shelved(2, 1).pairs}, none, ""},
	} {
		_, err := archive.Read(t.Context(), bytes.NewReader(file), c.into, even, c.ofJob, quiet)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: Read = %v, want %q", c.name, err, c.want)
		}
	}
}

// TestPartsAreBounded makes archives by hand, as their format says.
func TestPartsAreBounded(t *testing.T) {
	madeAs := func(version string, parts ...[]byte) []byte {
		b := []byte("carillon archive " + version + "\n")
		for _, p := range parts {
			b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
		}
		b = binary.AppendUvarint(append(b, 0), uint64(len(parts)/2))
		return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	}
	made := func(parts ...[]byte) []byte { return madeAs("1", parts...) }
	key := []byte("key")
	for _, c := range []struct {
		name string
		file []byte
		want int
	}{
		{"nothing", made(), 0},
		{"two", made(key, nil, key, []byte("value")), 2},
		{"the largest value", made(key, make([]byte, 16<<20)), 1},
		{"a larger one", made(key, make([]byte, 16<<20+1)), -1},
		{"another version", madeAs("2", key, nil), -1},
		{"another count", slices.Concat(made(key, nil)[:len(made(key, nil))-5], []byte{2, 0, 0, 0, 0}), -1},
	} {
		n, err := archive.Check(bytes.NewReader(c.file))
		if c.want < 0 {
			if err == nil || err.Error() != "the file is not an archive of Carillon, or it is damaged: use another copy" {
				t.Errorf("%s: Check = %d, %v; want that it is damaged", c.name, n, err)
			}
			continue
		}
		if n != c.want || err != nil {
			t.Errorf("%s: Check = %d, %v; want %d", c.name, n, err, c.want)
		}
	}
}
