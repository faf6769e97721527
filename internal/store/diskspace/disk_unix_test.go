//go:build unix

package diskspace_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"carillon/internal/store/diskspace"
)

func TestFreeSpaceIsInBytes(t *testing.T) {
	var s unix.Statfs_t
	if err := unix.Statfs(".", &s); err != nil {
		t.Fatal(err)
	}
	u, err := diskspace.Of(".")
	total, free := s.Blocks*uint64(s.Bsize), s.Bavail*uint64(s.Bsize)
	const others = 1 << 30 // what they may take or give back meanwhile
	if err != nil || u.Total != total || max(u.Free, free)-min(u.Free, free) > others {
		t.Errorf("Of = %+v, %v; want about %d of %d bytes free", u, err, free, total)
	}
}
