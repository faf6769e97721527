package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// diskUse measures the data directory of an idle server once its size no longer changes: row 9.
func (b *bench) diskUse(ctx context.Context, t *measuredServer, n int) (RowResult, error) {
	b.progress("waiting for the disk")
	tables, others, err := fileSizes(t.dir)
	for same := 0; same < 3 && err == nil; same++ {
		if err := until(ctx, time.Now().Add(b.cfg.Sizes.Rest)); err != nil {
			return RowResult{}, err
		}
		var now float64
		if now, others, err = fileSizes(t.dir); now != tables {
			tables, same = now, -1
		}
	}
	if err != nil {
		return RowResult{}, err
	}
	return RowResult{
		Row: 9, Measure: fmt.Sprintf("disk per one-shot job with %d bytes", b.cfg.Payload), Value: tables / float64(n), Unit: "B",
		Threshold: atMost(250, 150), Detail: []Figure{{"log and the rest", others / float64(n), "B"}},
		Notes: []string{"tables after a restart, left alone until their size no longer changed"},
	}, nil
}

// fileSizes returns the bytes of the files in dir: of Pebble's tables, and of all others.
func fileSizes(dir string) (tables, others float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		switch filepath.Ext(path) {
		case ".sst", ".blob":
			tables += float64(info.Size())
		default:
			others += float64(info.Size())
		}
		return nil
	})
	return tables, others, err
}

// ignoreMissing returns err unless a file does not exist: the server deletes files at any time.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
