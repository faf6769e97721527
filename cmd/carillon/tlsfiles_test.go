package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/identity/identitytest"
)

// TestJobReachesAppOverMTLS runs a scheduler and a sidecar with mTLS: with certificates from Sentry, which
// requires a token, and from files.
func TestJobReachesAppOverMTLS(t *testing.T) {
	for name, secure := range map[string]func(*testing.T, *identitytest.Authority) (scheduler, sidecar, env []string){
		"sentry": func(t *testing.T, ca *identitytest.Authority) (scheduler, sidecar, env []string) {
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ca.Serve(t, l, "spiffe://localhost/ns/default/dapr-sentry", time.Hour)
			anchors, token := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "token")
			for name, text := range map[string][]byte{anchors: ca.PEM(), token: []byte("s3cr3t")} {
				if err := os.WriteFile(name, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return []string{"--tls-enabled", "--trust-anchors-file", anchors, "--sentry-address", l.Addr().String()},
				[]string{"--enable-mtls", "--sentry-address", l.Addr().String()},
				[]string{"DAPR_TRUST_ANCHORS=" + string(ca.PEM()), "DAPR_SENTRY_TOKEN_FILE=" + token}
		},
		"files": func(t *testing.T, ca *identitytest.Authority) (scheduler, sidecar, env []string) {
			flags := func(id string) []string {
				cert, key, anchors := ca.Write(t, id, time.Hour)
				return []string{"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-file", anchors}
			}
			return flags("spiffe://localhost/ns/default/dapr-scheduler"), flags("spiffe://localhost/ns/default/sub"), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheduler, sidecar, env := secure(t, identitytest.NewAuthority(t))
			d := startScheduler(t, append(scheduler, "--etcd-data-dir", t.TempDir())...)
			d.health(t, http.StatusOK)
			if _, err := d.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{}); status.Code(err) != codes.Unavailable {
				t.Errorf("a client without a certificate gets %v, want Unavailable", err)
			}
			got := make(chan string, 1)
			app := portedApp(t, func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got <- r.URL.Path + " " + string(body)
			})
			s := startSidecar(t, env, append(append(app, sidecar...), "--scheduler-host-address", d.address["scheduler"])...)
			s.health(t, http.StatusNoContent, "")
			if status, body := s.ask(t, http.MethodPost, "/v1.0-alpha1/jobs/now", `{"dueTime": "0s", "data": 7}`); status != http.StatusNoContent {
				t.Fatalf("schedule: %d %s", status, body)
			}
			select {
			case trigger := <-got:
				if trigger != "/job/now 7" {
					t.Errorf("the app got %q", trigger)
				}
			case <-time.After(patience):
				t.Error("no trigger has come")
			}
			s.stop(t, syscall.SIGTERM)
			if !strings.Contains(d.said.String(), "rejected a client without a valid certificate") {
				t.Error("nothing is said of the client without a certificate")
			}
			if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := d.wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			for _, secret := range []string{"s3cr3t", "PRIVATE"} {
				if strings.Contains(s.said.String()+d.said.String(), secret) {
					t.Errorf("%s is in the log", secret)
				}
			}
		})
	}
}
