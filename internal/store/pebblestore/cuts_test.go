package pebblestore_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/store/pebblestore"
)

// TestRepeatedPowerCutsLoseNothing cuts the power before every other operation of a new store, lets another life
// acknowledge something, cuts again, and holds that a third has it.
func TestRepeatedPowerCutsLoseNothing(t *testing.T) {
	met := true
	for at := int64(0); met; at += 2 {
		keep := 50 * int(at%3)
		r := rand.New(rand.NewPCG(uint64(at), 0))
		disk, cut := vfs.NewCrashableMem(), (*vfs.MemFS)(nil)
		var ops atomic.Int64
		counting := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops.Add(1) == at+1 {
				cut = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: r})
			}
			return nil
		}))
		live := func(fs vfs.FS, key, value string, then func()) error {
			s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: fs, NoTickers: true}, quiet())
			if err != nil {
				return err
			}
			err = put(t.Context(), s, key, value)
			then()
			return errors.Join(err, s.Close())
		}
		if err := live(counting, "first", strings.Repeat("x", 100_000), func() {}); err != nil {
			t.Fatal(err)
		}
		if met = cut != nil; !met {
			break
		}
		var again *vfs.MemFS
		if err := live(cut, "second", "acknowledged", func() {
			again = cut.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: r})
		}); err != nil {
			t.Errorf("cut before operation %d, with %d %% of what was not synced: %v", at, keep, err)
			continue
		}
		s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: again, NoTickers: true}, quiet())
		if err != nil {
			t.Errorf("cut before operation %d, with %d %% of what was not synced, and again: %v", at, keep, err)
			continue
		}
		if got := value(t, s, "second"); got != "acknowledged" {
			t.Errorf("cut before operation %d, and again: what was acknowledged reads %q", at, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
