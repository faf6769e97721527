package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// A past is what a store was told, commit by commit: each set a key of its own, and the key "last".
type past struct {
	dir     string
	values  [][]byte
	crashed bool // it was not closed in the end
}

func commitKey(i int) []byte { return fmt.Appendf(nil, "job/%06d", i) }

// live makes a store of several tables and manifests on an empty disk, in some lives, and ends as a process does that
// is killed, or that is stopped.
func live(t *testing.T, r *rand.Rand, lives int) (*vfs.MemFS, past) {
	t.Helper()
	disk := vfs.NewCrashableMem()
	p := past{dir: "store", crashed: r.IntN(2) == 0}
	for life := range lives {
		s, err := pebblestore.Open(pebblestore.Config{Dir: p.dir, FS: disk, NoTickers: true}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		for range 60 + r.IntN(100) {
			p.commit(t, s, r)
		}
		kept := disk
		if p.crashed || life < lives-1 && r.IntN(2) == 0 {
			// A process that dies leaves the disk its data.
			kept = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		disk = kept
	}
	return disk, p
}

func (p *past) commit(t *testing.T, s store.Store, r *rand.Rand) {
	t.Helper()
	size := []int{20, 150, 600, 2_000, 9_000}[r.IntN(5)] // Pebble looks for flipped bits in a chunk by trying each
	v := fmt.Appendf(nil, "%06d ", len(p.values))
	for range size {
		v = append(v, byte(r.Uint32()))
	}
	var b store.Batch
	b.Put(commitKey(len(p.values)), v)
	b.Put([]byte("last"), v)
	if err := s.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	p.values = append(p.values, v)
}

// errWrong says that a store returned something that was never stored.
var errWrong = errors.New("a wrong payload")

// look reads all of the store and returns how many commits from the first on are there. An error
// that is not errWrong is the store's own word that something is damaged.
func (p *past) look(ctx context.Context, s store.Store) (kept int, err error) {
	for pair, err := range s.Scan(ctx, store.Prefix([]byte("job/")), 0) {
		if err != nil {
			return 0, err
		}
		if kept == len(p.values) || !bytes.Equal(pair.Key, commitKey(kept)) {
			return 0, fmt.Errorf("%w: %q comes where commit %d should", errWrong, pair.Key, kept)
		}
		if !bytes.Equal(pair.Value, p.values[kept]) {
			return 0, fmt.Errorf("%w in a scan at %q", errWrong, pair.Key)
		}
		kept++
	}
	for i := range p.values {
		got, err := s.Get(ctx, commitKey(i), []byte("last"))
		if err != nil {
			return 0, err
		}
		if i >= kept && got[0] != nil || i < kept && !bytes.Equal(got[0], p.values[i]) {
			return 0, fmt.Errorf("%w at commit %d, with %d found by a scan", errWrong, i, kept)
		}
		if kept > 0 && !bytes.Equal(got[1], p.values[kept-1]) || kept == 0 && got[1] != nil {
			return 0, fmt.Errorf("%w: half of commit %d is there", errWrong, kept)
		}
	}
	return kept, nil
}

// A shout is a log that knows whether it was given a warning or an error.
type shout struct {
	slog.Handler

	mu   sync.Mutex
	loud bool // guarded by mu
}

func (s *shout) Enabled(context.Context, slog.Level) bool { return true }

func (s *shout) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loud = s.loud || r.Level >= slog.LevelWarn
	return nil
}

func (s *shout) WithAttrs([]slog.Attr) slog.Handler { return s }

// open opens the store on a damaged disk and reads all of it. It returns what was kept, and whether anybody was told
// that something is wrong.
func (p *past) open(ctx context.Context, disk vfs.FS) (kept int, loud bool, err error) {
	log := &shout{Handler: slog.DiscardHandler}
	s, err := pebblestore.Open(pebblestore.Config{Dir: p.dir, FS: disk, NoTickers: true}, slog.New(log))
	if err != nil {
		return 0, true, nil // refusing is one of the two right answers
	}
	kept, err = p.look(ctx, s)
	if err != nil && !errors.Is(err, errWrong) {
		loud, err = true, nil
	}
	if closed := s.Close(); closed != nil {
		loud = true
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	return kept, loud || log.loud, err
}

// A damage is done to one file.
type damage struct {
	kind, name string
	at         int
}

func (d damage) String() string { return fmt.Sprintf("%s of %s at %d", d.kind, d.name, d.at) }

// do changes the file on disk. It reports whether that made a difference.
func (d damage) do(t *testing.T, disk vfs.FS, dir string) bool {
	t.Helper()
	path := disk.PathJoin(dir, d.name)
	if d.kind == "loss" {
		if err := disk.Remove(path); err != nil {
			t.Fatal(err)
		}
		return true
	}
	before := readFile(t, disk, path)
	after := bytes.Clone(before)
	switch d.kind {
	case "flip":
		after[d.at/8] ^= 1 << (d.at % 8)
	case "truncation":
		after = after[:d.at]
	case "zeroed page":
		clear(after[d.at:min(d.at+512, len(after))])
	}
	f, err := disk.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(after); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return !bytes.Equal(before, after)
}

func readFile(t *testing.T, disk vfs.FS, path string) []byte {
	t.Helper()
	f, err := disk.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// damages returns some to each file of the folder.
func damages(t *testing.T, r *rand.Rand, disk vfs.FS, dir string, each int) []damage {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var all []damage
	for _, name := range names {
		if name != newestLog(names) {
			all = append(all, damage{kind: "loss", name: name})
		}
		size := len(readFile(t, disk, disk.PathJoin(dir, name)))
		if size == 0 {
			continue
		}
		for range each {
			all = append(all, damage{"flip", name, r.IntN(8 * size)}, damage{"truncation", name, r.IntN(size)},
				damage{"zeroed page", name, r.IntN(size) &^ 511})
		}
		// The ends are where footers and the newest records are.
		all = append(all, damage{"flip", name, 8*size - 1 - r.IntN(min(8*size, 800))}, damage{"truncation", name, size - 1})
	}
	return all
}

func newestLog(names []string) string {
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			newest = max(newest, name)
		}
	}
	return newest
}

// TestDamagedStoreIsRefusedOrWhole flips bits of every file of a store, cuts files short, zeroes
// parts of them and takes them away. Whatever was done, the store says so, or it holds all that it
// did: it never returns what was not stored, nor misses something in silence. The end of the newest
// log alone cannot be told from what a crash leaves: a store may be short of the last commits by
// it, each of them as a whole.
func TestDamagedStoreIsRefusedOrWhole(t *testing.T) {
	for seed := range uint64(damagedStores) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { damageAll(t, seed) })
		})
	}
}

func damageAll(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	disk, p := live(t, r, 1+int(seed%4))
	if kept, loud, err := p.open(t.Context(), clone(t, disk, p.dir)); kept != len(p.values) || loud || err != nil {
		t.Fatalf("undamaged, it has %d of %d commits, was loud: %v, %v", kept, len(p.values), loud, err)
	}
	names, err := disk.List(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	newest := newestLog(names)
	refused, whole, short := 0, 0, 0
	for _, d := range damages(t, r, disk, p.dir, damagesEach) {
		damaged := clone(t, disk, p.dir)
		if !d.do(t, damaged, p.dir) {
			continue
		}
		kept, loud, err := p.open(t.Context(), damaged)
		switch {
		case err != nil:
			t.Errorf("seed %d, crashed %v, %v: %v", seed, p.crashed, d, err)
		case loud:
			refused++
		case kept == len(p.values):
			whole++
		case d.name == newest && d.kind != "flip":
			short++
		default:
			t.Errorf("seed %d, crashed %v, %v: %d of %d commits are there, and nobody said a word",
				seed, p.crashed, d, kept, len(p.values))
		}
	}
	t.Logf("%d stores were refused or spoke up, %d were whole, %d were short of the end of their newest log", refused, whole, short)
}

// How much is damaged: a few seconds of it in the daily tests, more by make crash.
var (
	damagedStores = number("CARILLON_TEST_DAMAGED_STORES", 2)
	damagesEach   = number("CARILLON_TEST_DAMAGES", 1) // of a kind to each file
)

// number returns that of an environment variable, or else n.
func number(name string, n int) int {
	if text := os.Getenv(name); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			panic(name + ": " + err.Error())
		}
	}
	return n
}

func clone(t *testing.T, disk *vfs.MemFS, dir string) *vfs.MemFS {
	t.Helper()
	to := vfs.NewMem()
	if ok, err := vfs.Clone(disk, to, dir, dir); err != nil || !ok {
		t.Fatalf("copy the store: %v, %v", ok, err)
	}
	return to
}
