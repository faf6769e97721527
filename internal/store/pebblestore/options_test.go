package pebblestore

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"carillon/internal/logtest"
	"carillon/internal/store"
)

// A sizedDisk has as many bytes as it says, in the folder "there".
type sizedDisk struct {
	vfs.FS
	total uint64
}

func (d sizedDisk) GetDiskUsage(dir string) (vfs.DiskUsage, error) {
	if dir != "there" {
		return vfs.DiskUsage{}, errors.ErrUnsupported
	}
	return vfs.DiskUsage{AvailBytes: d.total / 2, TotalBytes: d.total}, nil
}

func TestConfigIsPassedToPebble(t *testing.T) {
	type words struct {
		cache            int64
		memTable         uint64
		stop, files      int
		manifest         int64
		format           pebble.FormatMajorVersion
		filters, lowest  string
		ownDisk, granted bool
	}
	const mib = 1 << 20
	for _, c := range []struct {
		name  string
		cfg   Config
		dir   string
		total uint64
		want  words
	}{
		{"nothing", Config{}, "there", 1 << 40, words{cache: 64 * mib, memTable: 16 * mib, manifest: 128 * mib}},
		{
			"all",
			Config{CacheBytes: 1 * mib, MemTableBytes: 2 * mib, MaxFiles: 74, NoTickers: true},
			"there", 1 << 40,
			words{cache: mib, memTable: 2 * mib, files: 74, manifest: 128 * mib, ownDisk: true, granted: true},
		},
		{"a small disk", Config{}, "there", 64 * mib, words{cache: 64 * mib, memTable: mib, manifest: 4 * mib}},
		{"a tiny disk", Config{}, "there", 8 * mib, words{cache: 64 * mib, memTable: 256 << 10, manifest: mib / 2}},
		{"a small disk and small memtables", Config{MemTableBytes: mib / 2}, "there", 64 * mib, words{cache: 64 * mib, memTable: mib / 2, manifest: 4 * mib}},
		{"a disk that does not say its size", Config{}, "there", 0, words{cache: 64 * mib, memTable: 16 * mib}},
		{"a disk that says nothing", Config{}, "elsewhere", 64 * mib, words{cache: 64 * mib, memTable: 16 * mib}},
	} {
		d := newDisk(sizedDisk{vfs.NewMem(), c.total})
		opts, health := options(c.cfg, c.dir, d, slog.New(slog.DiscardHandler))
		got := words{
			cache: opts.CacheSize, memTable: opts.MemTableSize, stop: opts.MemTableStopWritesThreshold, files: opts.MaxOpenFiles,
			manifest: opts.MaxManifestFileSize, format: opts.FormatMajorVersion, lowest: opts.Levels[bottomLevel].FilterPolicy.Name(),
			ownDisk: opts.FS == vfs.FS(d), granted: opts.Experimental.CompactionScheduler != nil,
		}
		for i := range bottomLevel {
			got.filters += opts.Levels[i].FilterPolicy.Name() + " "
		}
		if err := health.Close(); err != nil {
			t.Error(err)
		}
		const each = "rocksdb.BuiltinBloomFilter "
		c.want.stop, c.want.format, c.want.lowest, c.want.filters = 4, format, "none", each+each+each+each+each+each
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(words{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// plainLog returns a log without times, and what it says.
func plainLog(level slog.Level) (*slog.Logger, *logtest.Page) {
	page := new(logtest.Page)
	return slog.New(slog.NewTextHandler(page, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), page
}

func TestPebbleEventsAreLogged(t *testing.T) {
	broken := errors.New("broken")
	const failed = `level=ERROR msg="pebble failed" err=`
	const damage = `damaged table: on-disk corruption: x.sst; bounds: [, ); details: broken\n(1) broken\nError types: (1) *errors.errorString`
	for _, c := range []struct {
		name  string
		do    func(logger, pebble.EventListener)
		want  string
		fails string
	}{
		{"an error", func(l logger, _ pebble.EventListener) { l.Errorf("it is %s", "bad") }, `level=ERROR msg="pebble reported an error" err="it is bad"`, ""},
		{"the end", func(l logger, _ pebble.EventListener) { l.Fatalf("it is %w", broken) }, failed + `"it is broken"`, "it is broken"},
		{"something", func(l logger, _ pebble.EventListener) { l.Infof("it is %s", "so") }, "", ""},
		{
			"work in the background", func(_ logger, e pebble.EventListener) { e.BackgroundError(broken) },
			`level=WARN msg="background work of the store failed; retrying" err=broken`, "",
		},
		{
			"a slow disk", func(_ logger, e pebble.EventListener) {
				e.DiskSlow(pebble.DiskSlowInfo{Path: "x.log", OpType: vfs.OpTypeSync, Duration: 6 * time.Second})
			}, `level=WARN msg="the disk is slow" event="disk slowness detected: sync on file x.log has been ongoing for 6.0s"`, "",
		},
		{
			"a full disk", func(_ logger, e pebble.EventListener) {
				e.LowDiskSpace(pebble.LowDiskSpaceInfo{AvailBytes: 1 << 20, TotalBytes: 1 << 30, PercentThreshold: 3})
			}, `level=WARN msg="the disk is nearly full" event="available disk space under 3% (1.0MB of 1.0GB)"`, "",
		},
		{
			"a small part of a large disk", func(_ logger, e pebble.EventListener) {
				e.LowDiskSpace(pebble.LowDiskSpaceInfo{AvailBytes: 25 << 30, TotalBytes: 252 << 30, PercentThreshold: 10})
			}, `level=INFO msg="a small part of the disk is free" event="available disk space under 10% (25GB of 252GB)"`, "",
		},
		{
			"a stall", func(_ logger, e pebble.EventListener) {
				e.WriteStallBegin(pebble.WriteStallBeginInfo{Reason: "memtables"})
			},
			`level=WARN msg="commits are waiting for the disk" event="write stall beginning: memtables"`, "",
		},
		{"the end of a stall", func(_ logger, e pebble.EventListener) { e.WriteStallEnd() }, `level=INFO msg="commits continue"`, ""},
		{
			"a mistake", func(_ logger, e pebble.EventListener) {
				e.PossibleAPIMisuse(pebble.PossibleAPIMisuseInfo{UserKey: []byte("k")})
			},
			`level=ERROR msg="pebble reported API misuse" event="possible API misuse: ineffectual SINGLEDEL (key=\"k\")"`, "",
		},
		{
			"damage", func(_ logger, e pebble.EventListener) {
				e.DataCorruption(pebble.DataCorruptionInfo{Path: "x.sst", Details: broken})
			},
			failed + `"` + damage + `"`, strings.ReplaceAll(damage, `\n`, "\n"),
		},
	} {
		log, page := plainLog(slog.LevelDebug)
		d := newDisk(vfs.NewMem())
		d.markOpen()
		l := logger{log: log, disk: d}
		c.do(l, l.events())
		want := c.want
		if want != "" {
			want += "\n"
		}
		if got := page.String(); got != want {
			t.Errorf("%s is logged as %s, want %s", c.name, got, want)
		}
		got := ""
		if err := d.failure(); err != nil {
			got = err.Error()
		}
		if got != c.fails {
			t.Errorf("%s fails the disk: %q, want %q", c.name, got, c.fails)
		}
	}
	log, page := plainLog(store.LevelTrace)
	logger{log: log}.Infof("it is %s", "so")
	if got, want := page.String(), "level=DEBUG-4 msg=pebble event=\"it is so\"\n"; got != want {
		t.Errorf("what Pebble says of itself is logged as %s, want %s", got, want)
	}
}

// TestDamageBeforeOpenFailsStore holds that an Open does not fail under those who read tables beside it.
func TestDamageBeforeOpenFailsStore(t *testing.T) {
	d := newDisk(vfs.NewMem())
	first, second := errors.New("first"), errors.New("second")
	d.damage(first)
	d.damage(second)
	if err := d.failure(); err != nil {
		t.Errorf("before Pebble is open the disk has failed: %v", err)
	}
	if d.markOpen(); !errors.Is(d.failure(), first) {
		t.Errorf("when Pebble is open the disk has failed: %v, want %v", d.failure(), first)
	}
	if d.fail(second); !errors.Is(d.failure(), first) {
		t.Errorf("the reason is %v, want the first", d.failure())
	}
	sound := newDisk(vfs.NewMem())
	if sound.markOpen(); sound.failure() != nil {
		t.Errorf("an open disk has failed: %v", sound.failure())
	}
	if sound.damage(second); !errors.Is(sound.failure(), second) {
		t.Errorf("an open disk has failed: %v, want %v", sound.failure(), second)
	}
}

// A slowFile takes so long to be synced.
type slowFile struct {
	vfs.File
	takes time.Duration
}

func (f slowFile) Sync() error { time.Sleep(f.takes); return nil }

type slowFiles struct {
	vfs.FS
	takes time.Duration
}

func (s slowFiles) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return slowFile{f, s.takes}, err
}

func TestDiskSlowerThanFiveSecondsIsLogged(t *testing.T) {
	for takes, want := range map[time.Duration]bool{slowDisk / 2: false, 2 * slowDisk: true} {
		synctest.Test(t, func(t *testing.T) {
			log, page := plainLog(slog.LevelInfo)
			opts, health := options(Config{}, "there", newDisk(slowFiles{sizedDisk{vfs.NewMem(), 1 << 40}, takes}), log)
			f, err := opts.FS.Create("000001.log", "")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Sync(), f.Close(), health.Close()); err != nil {
				t.Error(err)
			}
			if got := strings.Contains(page.String(), `level=WARN msg="the disk is slow" event="disk slowness detected: sync on file 000001.log`); got != want {
				t.Errorf("a sync of %v is called slow: %v, want %v; the log says %s", takes, got, want, page)
			}
		})
	}
}
