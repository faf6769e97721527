package app_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestAllInOneNodeWarnsOfAnAppThatNobodyServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		for app, want := range map[string]string{"sub": "", "sbu": `no sidecar serves the app \"sbu\"`} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/v1.0-alpha1/jobs/a", strings.NewReader(`{"dueTime":"1h"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("dapr-app-id", app)
			res, err := w.user.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Warning"); res.StatusCode != http.StatusAccepted || (got != "") != (want != "") || !strings.Contains(got, want) {
				t.Errorf("%s: %d, warned with %q, want 202 with %q", app, res.StatusCode, got, want)
			}
		}
	})
}
