package diskspace_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
	"carillon/internal/store/diskspace"
)

const mib = 1 << 20

func TestReserveIsHalfOfASmallDisk(t *testing.T) {
	for total, want := range map[uint64]uint64{
		0: 128 * mib, 64 * mib: 32 * mib, 128 * mib: 64 * mib, 256 * mib: 128 * mib, 1 << 30: 128 * mib, 1 << 40: 128 * mib,
	} {
		if got := diskspace.Reserve(total); got != want {
			t.Errorf("Reserve(%d MiB) = %d MiB, want %d", total/mib, got/mib, want/mib)
		}
	}
}

func TestFullSmallDiskReportsFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := diskspace.Usage{Total: 64 * mib}
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		const refused = "level=WARN msg=\"the disk is full: new jobs are refused\" free_bytes=33554431 reserve_bytes=33554432 total_bytes=67108864\n"
		const accepted = "level=INFO msg=\"the disk has free space again: new jobs are accepted\" free_bytes=41943040 reserve_bytes=33554432 total_bytes=67108864\n"
		asked := 0
		var broken error
		w := diskspace.New(func() (diskspace.Usage, error) { asked++; return u, broken }, log)
		for _, step := range []struct {
			free   uint64
			broken error
			full   string // what it says, in MiB
			log    string
		}{
			{free: 63 * mib},
			{free: 32 * mib},
			{free: 32*mib - 1, full: "32.0", log: refused},
			{free: 31 * mib, full: "31.0"},
			{free: 63 * mib, full: "31.0", broken: errors.ErrUnsupported},
			{free: 33 * mib, full: "33.0"},
			{free: 40*mib - 1, full: "40.0"},
			{free: 40 * mib, log: accepted},
			{free: 32 * mib},
			{free: 0, broken: errors.ErrUnsupported},
			{free: 32*mib - 1, full: "32.0", log: refused},
		} {
			u.Free, broken = step.free, step.broken
			time.Sleep(10 * time.Millisecond)
			want := ""
			if step.full != "" {
				want = (&job.FullError{Reason: "the scheduler's disk has " + step.full + " MiB of 64.0 MiB free; new jobs are refused below 32.0 MiB " +
					"and accepted again from 40.0 MiB: free space on the disk"}).Error()
			}
			asked = 0
			for range 3 {
				err := w.Full()
				got := ""
				if err != nil {
					got = err.Error()
				}
				if got != want || errors.Is(err, job.ErrFull) != (want != "") {
					t.Errorf("with %d bytes free, Full() = %q, want %q", step.free, got, want)
				}
			}
			if asked != 1 {
				t.Errorf("in one period the disk is asked %d times, want once", asked)
			}
			if said.String() != step.log {
				t.Errorf("with %d bytes free the log says %q, want %q", step.free, said.String(), step.log)
			}
			said.Reset()
		}
		time.Sleep(10*time.Millisecond - 1)
		if asked = 0; w.Full() == nil || asked > 0 {
			t.Errorf("within the period the disk is asked %d times", asked)
		}
	})
}

func TestFreeSpaceOfDirectory(t *testing.T) {
	w := diskspace.New(func() (diskspace.Usage, error) { return diskspace.Usage{}, errors.ErrUnsupported }, slog.New(slog.DiscardHandler))
	if err := w.Full(); err != nil {
		t.Errorf("a disk that does not report its free space: %v", err)
	}
	dir := t.TempDir()
	u, err := diskspace.Of(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || u.Total < mib || u.Free > u.Total {
		t.Errorf("the disk of a folder has %+v, %v", u, err)
	}
	if later, err := diskspace.Of(filepath.Join(dir, "not", "made", "yet")); err != nil || later.Total != u.Total {
		t.Errorf("the disk of a folder that is not there yet has %+v, %v; want %+v", later, err, u)
	}
	if u, err := diskspace.Of("not/made/yet"); err != nil || u.Total == 0 {
		t.Errorf("the disk of a folder that is not there yet, by a path from here, has %+v, %v", u, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err := diskspace.Of(filepath.Join(file, "x")); err == nil {
		t.Errorf("the disk of a folder in a file has %+v", u)
	}
}
