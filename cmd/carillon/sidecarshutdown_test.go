package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/internal/exit"
)

func TestClientCanShutDownSidecar(t *testing.T) {
	t.Parallel()
	for header, c := range map[string]struct {
		code int
		says string
	}{
		"false": {exit.OK, `level=info msg="Shutdown requested via API"`},
		"true":  {exit.Failed, `level=info msg="Force shutdown requested, exiting immediately without graceful shutdown"`},
	} {
		s := startSidecar(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address["http"][0]+"/v1.0/shutdown", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("dapr-force-shutdown", header)
		begin := time.Now()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("shutdown is answered with %s", resp.Status)
		}
		if err := s.wait(); exitCode(err) != c.code || time.Since(begin) > atOnce || !strings.Contains(s.said.String(), c.says) {
			t.Errorf("with dapr-force-shutdown: %s it ended with %v after %v, want %d", header, err, time.Since(begin), c.code)
		}
	}
}
