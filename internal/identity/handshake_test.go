package identity_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
)

func TestRejectedHandshakesAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		ca, other := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		cert, key, anchors := ca.Write(t, schedulerID, time.Hour)
		server, err := identity.OpenFiles(identity.Files{Cert: cert, Key: key, CA: anchors}, logTo(&text))
		d := open(t, start(t, server, err))
		untrusted, _ := files(t, other, appID, time.Hour)
		said := func() int {
			synctest.Wait()
			return strings.Count(text.String(), "level=WARN msg=\"rejected a client")
		}
		for range 3 {
			if err := d.enter(t, insecure.NewCredentials()); err == nil {
				t.Error("plaintext is let in")
			}
		}
		if n := said(); n != 1 || !strings.Contains(text.String(), "first record does not look like a TLS handshake") {
			t.Errorf("it is said %d times, want once, and why: %s", n, &text)
		}
		time.Sleep(time.Minute)
		if err := d.enter(t, secured(t, untrusted, "localhost", "default", "dapr-scheduler")); err == nil {
			t.Error("a caller whose certificate is not trusted is let in")
		}
		if n := said(); n != 2 {
			t.Errorf("it is said %d times, want again after a minute: %s", n, &text)
		}
		time.Sleep(time.Minute)
		c, err := d.l.DialContext(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if n := said(); n != 2 {
			t.Errorf("it is said %d times, also of a client that says nothing: %s", n, &text)
		}
	})
}
