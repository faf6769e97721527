package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The kinds of chunks.
const (
	whole = iota
	firstPart
	middlePart
	lastPart
)

// plainChunk returns a chunk of the log with that number as it was before logs said how far they were synced.
func plainChunk(kind byte, log uint32, carried []byte) []byte {
	b := []byte{firstPlainKind + kind}
	b = binary.LittleEndian.AppendUint32(b, log)
	return summedChunk(b, carried)
}

// syncedChunk returns a chunk of the log with that number, which had been synced up to there.
func syncedChunk(kind byte, log uint32, synced uint64, carried []byte) []byte {
	b := []byte{firstSyncKind + kind}
	b = binary.LittleEndian.AppendUint32(b, log)
	b = binary.LittleEndian.AppendUint64(b, synced)
	return summedChunk(b, carried)
}

// summedChunk puts the checksum and the length in front of the rest of a chunk.
func summedChunk(rest, carried []byte) []byte {
	rest = append(rest, carried...)
	b := binary.LittleEndian.AppendUint32(nil, chunkSum(rest))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(carried)))
	return append(b, rest...)
}

// trailer is what closes a log.
func trailer(log uint32) []byte {
	b := make([]byte, plainHeader)
	b[6] = firstPlainKind
	binary.LittleEndian.PutUint32(b[7:], log+1)
	return b
}

// batchOf is a batch that begins with that number, and has so many records and bytes.
func batchOf(number uint64, count uint32, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, number)
	b = binary.LittleEndian.AppendUint32(b, count)
	return append(b, bytes.Repeat([]byte{'r'}, size-len(b))...)
}

func TestChunkIsWholeOrAbsent(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want walChunk
	}{
		{"plain", plainChunk(whole, 7, []byte("abc")), walChunk{header: 11, size: 14}},
		{"empty", plainChunk(lastPart, 7, nil), walChunk{header: 11, size: 11}},
		{"synced", syncedChunk(whole, 7, 99, []byte("abc")), walChunk{header: 19, size: 22, synced: 99}},
		{"synced and empty", syncedChunk(lastPart, 7, 0, nil), walChunk{header: 19, size: 19}},
	} {
		for _, behind := range [][]byte{nil, []byte("more")} {
			if got, ok := parseChunk(append(bytes.Clone(c.b), behind...), 7); !ok || got != c.want {
				t.Errorf("%s: parseChunk = %+v, %v; want %+v", c.name, got, ok, c.want)
			}
		}
		if got, ok := parseChunk(c.b, 8); ok {
			t.Errorf("%s: in another log it reads as %+v", c.name, got)
		}
		for i := range c.b {
			if got, ok := parseChunk(c.b[:i], 7); ok || got != (walChunk{}) {
				t.Errorf("%s: its first %d bytes read as %+v, %v", c.name, i, got, ok)
			}
			for bit := range 8 {
				damaged := bytes.Clone(c.b)
				damaged[i] ^= 1 << bit
				if got, ok := parseChunk(damaged, 7); ok || got != (walChunk{}) {
					t.Errorf("%s: with bit %d of byte %d flipped it reads as %+v, %v", c.name, bit, i, got, ok)
				}
			}
		}
	}
	for kind := range byte(20) {
		b := append(append([]byte{kind}, 7, 0, 0, 0), make([]byte, 8)...)
		if _, ok := parseChunk(summedChunk(b, nil), 7); ok != (kind >= 9 && kind <= 12) {
			t.Errorf("a chunk of kind %d passes: %v", kind, ok)
		}
		if _, ok := parseChunk(summedChunk([]byte{kind, 7, 0, 0, 0}, nil), 7); ok != (kind >= 5 && kind <= 8) {
			t.Errorf("a plain chunk of kind %d passes: %v", kind, ok)
		}
	}
}

// TestLogReaderReadsPebbleLogs holds that chunks are here what they are there.
func TestLogReaderReadsPebbleLogs(t *testing.T) {
	var file bytes.Buffer
	w := record.NewLogWriter(&file, 7, record.LogWriterConfig{WriteWALSyncOffsets: func() bool { return true }})
	for _, size := range []int{30, 40_000, 100_000} {
		if _, err := w.WriteRecord(batchOf(uint64(size), 3, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := readLog(&file, 7)
	if err != nil || !got.closed || got.first != 30 || got.next != 100_003 {
		t.Errorf("readLog = %+v, %v; want it closed, from batch 30 to 100,003", got, err)
	}
}

func TestReadLogReportsWholePrefixAndDamage(t *testing.T) {
	const log = 7
	long := batchOf(20, 5, 100)
	full := plainChunk(whole, log, batchOf(1, 1, logBlock-plainHeader))
	for _, c := range []struct {
		name  string
		parts [][]byte
		want  logContent // without its head
		torn  bool
		wrong string
	}{
		{name: "empty"},
		{name: "one batch", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12))}, want: logContent{length: 23, first: 20, next: 25}},
		{name: "closed", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12)), trailer(log)}, want: logContent{length: 23, closed: true, first: 20, next: 25}},
		{name: "closed, and used before", parts: [][]byte{trailer(log), plainChunk(whole, log, batchOf(1, 1, 12))}, want: logContent{closed: true}},
		{
			name: "two batches", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12)), syncedChunk(whole, log, 0, batchOf(25, 2, 30))},
			want: logContent{length: 23 + 49, first: 20, next: 27},
		},
		{
			name: "a batch in parts", parts: [][]byte{
				plainChunk(firstPart, log, long[:5]), plainChunk(middlePart, log, long[5:9]), plainChunk(middlePart, log, long[9:50]), plainChunk(lastPart, log, long[50:]),
			}, want: logContent{length: 144, first: 20, next: 25},
		},
		{
			name: "a batch without its last part", parts: [][]byte{plainChunk(whole, log, batchOf(1, 1, 12)), plainChunk(firstPart, log, batchOf(2, 1, 12)), plainChunk(middlePart, log, nil)},
			want: logContent{length: 57, first: 1, next: 2},
		},
		{
			name: "a batch after one without its last part", parts: [][]byte{plainChunk(firstPart, log, batchOf(1, 1, 12)), plainChunk(whole, log, batchOf(2, 1, 12))},
			want: logContent{length: 46, first: 2, next: 3},
		},
		{name: "too short for a batch", parts: [][]byte{plainChunk(whole, log, make([]byte, 11))}, want: logContent{length: 22}},
		{name: "zeros", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12)), make([]byte, 100)}, want: logContent{length: 23, first: 20, next: 25}},
		{name: "some zeros", parts: [][]byte{make([]byte, 10)}},
		{name: "of an earlier log", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12)), plainChunk(whole, log-1, long)}, want: logContent{length: 23, first: 20, next: 25}},
		{name: "a full block", parts: [][]byte{full}, want: logContent{length: logBlock, first: 1, next: 2}},
		{name: "a full block, and closed", parts: [][]byte{full, trailer(log)}, want: logContent{length: logBlock, closed: true, first: 1, next: 2}},
		{
			name: "a block whose end is too small for a chunk",
			parts: [][]byte{
				plainChunk(whole, log, batchOf(1, 1, logBlock-plainHeader-syncHeader+1)), make([]byte, syncHeader-1), plainChunk(whole, log, batchOf(2, 1, 12)),
			}, want: logContent{length: logBlock + 23, first: 1, next: 3},
		},
		{
			name: "a block whose end has room for a chunk",
			parts: [][]byte{
				plainChunk(whole, log, batchOf(1, 1, logBlock-plainHeader-syncHeader)), make([]byte, syncHeader), plainChunk(whole, log, batchOf(2, 1, 12)),
			}, want: logContent{length: logBlock - syncHeader, first: 1, next: 2},
		},
		{
			name: "three blocks", parts: [][]byte{
				full, plainChunk(firstPart, log, batchOf(2, 4, logBlock-plainHeader)), plainChunk(lastPart, log, nil),
			}, want: logContent{length: 2*logBlock + 11, first: 1, next: 6},
		},
		{name: "torn", parts: [][]byte{plainChunk(whole, log, batchOf(20, 5, 12)), plainChunk(whole, log, long)[:60]}, want: logContent{length: 23, first: 20, next: 25}, torn: true},
		{name: "torn in its header", parts: [][]byte{plainChunk(whole, log, long)[:11]}, torn: true},
		{name: "torn before the number", parts: [][]byte{plainChunk(whole, log, long)[:10]}},
		{name: "torn, and the next is there", parts: [][]byte{make([]byte, 20), syncedChunk(whole, log, 0, batchOf(20, 5, 12))}, torn: true},
		{name: "torn, and the last of the block is there", parts: [][]byte{make([]byte, 20), plainChunk(lastPart, log, nil)}, torn: true},
		{
			name: "torn where it was synced to", parts: [][]byte{plainChunk(whole, log, batchOf(1, 1, 12)), make([]byte, 20), syncedChunk(whole, log, 23, batchOf(20, 5, 12))},
			want: logContent{length: 23, first: 1, next: 2}, torn: true,
		},
		{
			name: "damaged before where it was synced to", parts: [][]byte{plainChunk(whole, log, batchOf(1, 1, 12)), make([]byte, 20), syncedChunk(whole, log, 24, batchOf(20, 5, 12))},
			want: logContent{length: 23, first: 1, next: 2}, wrong: "is damaged at byte 23: the data is damaged; restore it from a backup",
		},
		{
			name: "damaged in the second block", parts: [][]byte{full, make([]byte, 20), syncedChunk(whole, log, logBlock+1, batchOf(20, 5, 12))},
			want: logContent{length: logBlock, first: 1, next: 2}, wrong: "is damaged at byte 32768: the data is damaged; restore it from a backup",
		},
		{
			name: "what another log says", parts: [][]byte{make([]byte, 20), syncedChunk(whole, log-1, 100, batchOf(20, 5, 12))},
		},
	} {
		got, err := readLog(bytes.NewReader(bytes.Join(c.parts, nil)), log)
		got.head = nil
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: readLog = %+v, want %+v", c.name, got, c.want)
		}
		if errors.Is(err, errLogTorn) != c.torn || errors.Is(err, errDamaged) != (c.wrong != "") || c.wrong != "" && err.Error() != c.wrong || err != nil && !c.torn && c.wrong == "" {
			t.Errorf("%s: readLog returns the error %v, want %q, torn: %v", c.name, err, c.wrong, c.torn)
		}
	}
	broken := io.MultiReader(bytes.NewReader(plainChunk(whole, log, long)), iotest.ErrReader(errors.New("broken")))
	if _, err := readLog(broken, log); err == nil || err.Error() != "cannot be read: broken" {
		t.Errorf("readLog of what cannot be read returns the error %v", err)
	}
}

func TestTrailerBelongsToItsLog(t *testing.T) {
	if !isTrailer(trailer(7), 7) || !isTrailer(append(trailer(7), 1), 7) {
		t.Error("a trailer is none")
	}
	if isTrailer(trailer(7)[:plainHeader-1], 7) || isTrailer(trailer(7), 6) || isTrailer(trailer(7), 8) {
		t.Error("half a trailer, or that of another log, is one")
	}
	for i := range plainHeader {
		b := trailer(7)
		b[i] ^= 1
		if lengthOfNothing := i == 4 || i == 5; isTrailer(b, 7) != lengthOfNothing {
			t.Errorf("with byte %d changed it is a trailer: %v", i, isTrailer(b, 7))
		}
	}
}

// A backwards file system lists the last name first.
type backwards struct{ vfs.FS }

func (b backwards) List(dir string) ([]string, error) {
	names, err := b.FS.List(dir)
	slices.Sort(names)
	slices.Reverse(names)
	return names, err
}

// fileTree returns a file system that holds the files.
func fileTree(t *testing.T, files map[string][]byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("store", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		f, err := fs.Create(fs.PathJoin("store", name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return backwards{fs}
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestDamagedOrMissingLogIsNamed(t *testing.T) {
	const damaged = ": the data is damaged; restore it from a backup"
	one := func(log uint32, first uint64, count uint32) []byte {
		return plainChunk(whole, log, batchOf(first, count, 12))
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		first uint64
		want  string
	}{
		{name: "none"},
		{name: "none of a new store", first: 4},
		{name: "one", first: 4, files: map[string][]byte{"000004.log": one(4, 10, 2)}},
		{
			name: "two", first: 4,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000005.log": one(5, 12, 3)},
		},
		{
			name: "one without a batch between them", first: 4,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000005.log": trailer(5), "000006.log": one(6, 12, 3)},
		},
		{
			name: "the first is gone", first: 3, want: "000003.log is missing" + damaged,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000005.log": one(5, 12, 3)},
		},
		{name: "it is not known which is the first", files: map[string][]byte{"000004.log": one(4, 10, 2)}},
		{name: "the first is gone, and the rest holds nothing", first: 3, files: map[string][]byte{"000004.log": trailer(4)}},
		{
			name: "one is gone", first: 4, want: "000006.log begins with batch 13 instead of 12" + damaged,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000006.log": one(6, 13, 3)},
		},
		{
			name: "one begins too early", first: 4, want: "000006.log begins with batch 11 instead of 12" + damaged,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000006.log": one(6, 11, 3)},
		},
		{
			name: "one is gone before one without a batch", first: 4, want: "000007.log begins with batch 13 instead of 12" + damaged,
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000006.log": trailer(6), "000007.log": one(7, 13, 3)},
		},
		{
			name: "one is shorter than it was", first: 4, want: "000004.log ends at byte 23, but was longer" + damaged,
			files: map[string][]byte{"000004.log": one(4, 10, 2), "000005.log": one(5, 12, 3)},
		},
		{
			name: "the one before the last is empty", first: 4,
			files: map[string][]byte{"000004.log": {}, "000005.log": one(5, 12, 3)},
		},
		{
			name: "the newest is not closed, nor the ones that do not matter", first: 5,
			files: map[string][]byte{"000003.log": one(3, 1, 1), "000004.log": one(4, 10, 2), "000005.log": one(5, 12, 3)},
		},
		{
			name: "damage", first: 4, want: "000004.log is damaged at byte 0" + damaged,
			files: map[string][]byte{"000004.log": join(make([]byte, 20), syncedChunk(whole, 4, 1, nil))},
		},
		{
			name: "the newest is torn", first: 4, want: "000005.log " + errLogTorn.Error(),
			files: map[string][]byte{"000004.log": join(one(4, 10, 2), trailer(4)), "000005.log": one(5, 12, 3)[:20]},
		},
		{
			name: "numbers of more digits", first: 999_999,
			files: map[string][]byte{"999999.log": join(one(999_999, 10, 2), trailer(999_999)), "1000000.log": one(1_000_000, 12, 3)},
		},
		{
			name: "what is no log", first: 4,
			files: map[string][]byte{"000004.log": one(4, 10, 2), "000005": one(5, 1, 1), "five.log": one(5, 1, 1), "000006.sst": one(6, 1, 1)},
		},
	} {
		disk := newBelow(fileTree(t, c.files))
		err := checkLogs(disk, "store", c.first)
		if disk.open > 0 {
			t.Errorf("%s: %d files were left open", c.name, disk.open)
		}
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s: checkLogs = %q, want %q", c.name, got, c.want)
		}
	}
	if err := checkLogs(vfs.NewMem(), "nowhere", 0); err == nil {
		t.Error("a folder that cannot be listed passes")
	}
}

func TestFirstLogComesFromLastManifestEdit(t *testing.T) {
	version := func(n uint64) []byte { return binary.AppendUvarint([]byte{2}, n) }
	named := func(name string, n uint64) []byte {
		return join(binary.AppendUvarint([]byte{1}, uint64(len(name))), []byte(name), version(n))
	}
	for _, c := range []struct {
		name    string
		records [][]byte
		want    uint64
	}{
		{"nothing", nil, 0},
		{"one", [][]byte{version(4)}, 4},
		{"a comparer and one", [][]byte{named("leveldb.BytewiseComparator", 5)}, 5},
		{"a long comparer", [][]byte{named(strings.Repeat("c", 300), 6)}, 6},
		{"the last of three", [][]byte{named("c", 5), version(7), {3, 2, 8}, version(300)}, 300},
		{"records of other parts", [][]byte{version(4), {3, 9}, {9}, {6, 2, 9}}, 4},
		{"records that end too early", [][]byte{version(4), {1}, {1, 3, 'c'}, {1, 1, 'c'}, {1, 1, 'c', 3, 9}, {2}}, 4},
	} {
		var file bytes.Buffer
		w := record.NewWriter(&file)
		for _, r := range c.records {
			if _, err := w.WriteRecord(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := firstLog(&file); got != c.want {
			t.Errorf("%s: firstLog = %d, want %d", c.name, got, c.want)
		}
	}
}
