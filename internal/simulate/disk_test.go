package simulate_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// A disk is what the store of one life stands on, and what can go wrong with it. A power cut leaves another disk, with
// what was synced and some part of the rest; this one goes on for those who do not know yet.
type disk struct {
	mem *vfs.MemFS

	mu      sync.Mutex // guards the fields below
	dead    bool       // its power was cut: nothing goes wrong any more
	writes  int
	cutAt   int // the number of the write before which the power is cut; 0: none
	cut     func(op string)
	errs    []*trouble
	slow    time.Duration // each write of a log or a table takes so long
	resumed chan struct{} // while it hangs: closed when it goes on
	free    uint64
}

// A trouble is an error that a disk returns.
type trouble struct {
	err   error
	reads bool   // and not writes
	of    string // what the path contains
	left  int    // how often yet
}

const (
	plenty = 1 << 40 // bytes free
	scarce = 1 << 20
)

func newDisk(mem *vfs.MemFS) *disk { return &disk{mem: mem, free: plenty} }

// fs is the file system that a store sees.
func (d *disk) fs() vfs.FS {
	return sizedFS{errorfs.Wrap(d.mem, errorfs.InjectorFunc(d.meet)), d}
}

// A sizedFS says how much of it is free.
type sizedFS struct {
	vfs.FS
	disk *disk
}

// GetDiskUsage is [vfs.FS.GetDiskUsage].
func (f sizedFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: f.disk.free, TotalBytes: 2 * plenty}, nil
}

// meet is what an operation meets before it is done.
func (d *disk) meet(o errorfs.Op) error {
	write := o.Kind.ReadOrWrite() == errorfs.OpIsWrite
	d.mu.Lock()
	if d.dead {
		d.mu.Unlock()
		return nil
	}
	var cut func(string)
	if write {
		d.writes++
		if d.writes == d.cutAt {
			cut = d.cut
		}
	}
	writes := d.writes
	wait, hung := time.Duration(0), (chan struct{})(nil)
	if patient(o) {
		wait, hung = d.slow, d.resumed
	}
	d.mu.Unlock()
	if cut != nil {
		for range 200 { // answers that were sent too soon have time to arrive
			runtime.Gosched()
		}
		cut(fmt.Sprintf("write %d of its life, of %s", writes, o.Path))
		return nil
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	if hung != nil {
		<-hung
	}
	return d.trouble(o, write)
}

// patient reports whether the caller of o can wait in fake time: it holds no mutex on which another goroutine
// may block.
func patient(o errorfs.Op) bool {
	switch o.Kind {
	case errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return strings.HasSuffix(o.Path, ".log") || strings.HasSuffix(o.Path, ".sst")
	default:
		return false
	}
}

// trouble returns the error that o meets, if any.
func (d *disk) trouble(o errorfs.Op, write bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead || o.Kind == errorfs.OpLock || o.Kind == errorfs.OpGetDiskUsage {
		return nil
	}
	for _, t := range d.errs {
		if t.left > 0 && t.reads != write && strings.Contains(o.Path, t.of) {
			t.left--
			return t.err
		}
	}
	return nil
}

// fail makes the next n operations return an error: reads or writes, of the files whose path contains of.
func (d *disk) fail(err syscall.Errno, reads bool, of string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs = append(d.errs, &trouble{err: err, reads: reads, of: of, left: n})
}

// delay makes each write of a log or a table take so long from now on.
func (d *disk) delay(each time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = each
}

// hang stops the disk until the function that it returns is called.
func (d *disk) hang() (resume func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resumed != nil { // it hangs already
		return func() {}
	}
	d.resumed = make(chan struct{})
	return d.resume
}

func (d *disk) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.resumed != nil {
		close(d.resumed)
		d.resumed = nil
	}
}

// fill leaves so many bytes free.
func (d *disk) fill(free uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = free
}

// cutAfter has the power cut before the nth write from now on; cut is called for that, once.
func (d *disk) cutAfter(n int, cut func(op string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAt, d.cut = d.writes+n, cut
}

// crash returns the disk as a power cut at this moment leaves it: with what was synced, and so much of the rest.
func (d *disk) crash(percent int, r *rand.Rand) *disk {
	d.mu.Lock()
	d.dead = true
	d.mu.Unlock()
	d.resume()
	return newDisk(d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: r}))
}

// mend ends all that is wrong with it.
func (d *disk) mend() {
	d.resume()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs, d.slow, d.free, d.cutAt = nil, 0, plenty, 0
}
