package pebblestore_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/logtest"
	"carillon/internal/store/pebblestore"
)

// A user who debugs a job needs none of them.
func TestPebbleLogsAtTrace(t *testing.T) {
	for level, want := range map[slog.Level]bool{slog.LevelDebug: false, slog.LevelDebug - 4: true} {
		page := new(logtest.Page)
		log := slog.New(slog.NewTextHandler(page, &slog.HandlerOptions{Level: level}))
		s, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(page.String(), "msg=pebble"); got != want {
			t.Errorf("at level %v the log has lines of Pebble's: %v, want %v\n%s", level, got, want, page)
		}
	}
}
