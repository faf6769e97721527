package app_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestAllInOneNodeWarnsOfUnservedApp(t *testing.T) {
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

func TestAllInOneNodeLogsDoubtfulJobOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		// The first before the stream of schedule calls is open.
		for _, path := range []string{"/v1.0-alpha1/jobs/a", "/v1.0-alpha1/jobs/b"} {
			before := len(w.log.String())
			if status, answer := w.call(http.MethodPost, path, `{"schedule":"@daily","ttl":"PT5M"}`); status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", path, status, answer)
			}
			synctest.Wait()
			if text := w.log.String()[before:]; strings.Count(text, "may not do what its author thinks") != 1 {
				t.Errorf("%s: the doubt is logged otherwise than once:\n%s", path, text)
			}
		}
	})
}
