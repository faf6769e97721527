package app_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fillingDisk is an in-memory disk that reports the free space that the test sets.
type fillingDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *fillingDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestAllInOneNodeIsUnhealthyOnFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fillingDisk{FS: vfs.NewMem()}
		disk.free.Store(1 << 30)
		w := start(t, disk)
		defer w.stop()
		for _, step := range []struct {
			free uint64
			code int
			body string
		}{
			{1 << 30, http.StatusNoContent, ""},
			{100 << 20, http.StatusInternalServerError, `"errorCode":"ERR_HEALTH_NOT_READY"`},
			{1 << 30, http.StatusNoContent, ""},
		} {
			disk.free.Store(step.free)
			time.Sleep(10 * time.Second)
			res, err := w.user.Get("http://node/v1.0/healthz")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != step.code || !strings.Contains(string(body), step.body) || step.body != "" && !strings.Contains(string(body), "new jobs are refused") {
				t.Errorf("with %d bytes free: healthz = %d %s, want %d", step.free, res.StatusCode, body, step.code)
			}
		}
	})
}
