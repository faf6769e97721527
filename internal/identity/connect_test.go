package identity_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
)

const appID = "spiffe://public/ns/default/app"

// scheduler is the client's idea of who the server is.
func secured(t *testing.T, s *identity.Source, domain, namespace, app string) credentials.TransportCredentials {
	t.Helper()
	id, err := identity.ID(domain, namespace, app)
	if err != nil {
		t.Fatal(err)
	}
	return s.Client(id)
}

func TestBothSidesNeedATrustedCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, other := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		server, _ := files(t, ca, schedulerID, time.Hour)
		d := open(t, server)
		app, _ := files(t, ca, appID, time.Hour)
		short, _ := files(t, ca, appID, time.Minute)
		untrusted, names := files(t, other, appID, time.Hour)
		time.Sleep(2 * time.Minute) // in which the short one expires

		// A caller who trusts the server's anchor shows a certificate that the server does not trust.
		certificate, err := tls.LoadX509KeyPair(names.Cert, names.Key)
		if err != nil {
			t.Fatal(err)
		}
		blind := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}
		for name, c := range map[string]struct {
			secure credentials.TransportCredentials
			want   codes.Code
		}{
			"fine":                         {secured(t, app, "localhost", "default", "dapr-scheduler"), codes.OK},
			"plaintext":                    {insecure.NewCredentials(), codes.Unavailable},
			"no certificate":               {credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}), codes.Unavailable},
			"expired":                      {secured(t, short, "localhost", "default", "dapr-scheduler"), codes.Unavailable},
			"a client of other anchors":    {credentials.NewTLS(blind), codes.Unavailable},
			"both of other anchors":        {secured(t, untrusted, "localhost", "default", "dapr-scheduler"), codes.Unavailable},
			"a server of another domain":   {secured(t, app, "elsewhere", "default", "dapr-scheduler"), codes.Unavailable},
			"a server of another ns":       {secured(t, app, "localhost", "dapr-system", "dapr-scheduler"), codes.Unavailable},
			"a server that is something":   {secured(t, app, "localhost", "default", "dapr-placement"), codes.Unavailable},
			"a server whose name is alike": {secured(t, app, "localhost", "default", "dapr-scheduler-2"), codes.Unavailable},
		} {
			if err := d.enter(t, c.secure); status.Code(err) != c.want {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

func TestRequestMustMatchIdentityOfConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := identitytest.NewAuthority(t)
		server, _ := files(t, ca, schedulerID, time.Hour)
		d := open(t, server)
		for id, want := range map[string]codes.Code{
			appID:                                 codes.OK,
			"spiffe://elsewhere/ns/default/app":   codes.OK, // domains do not count: anchors do
			"spiffe://public/ns/default/app/more": codes.OK,
			schedulerID:                           codes.PermissionDenied,
			"spiffe://public/ns/default/dapr-scheduler": codes.PermissionDenied,
			"spiffe://public/ns/default/app2":           codes.PermissionDenied,
			"spiffe://public/ns/default/ap":             codes.PermissionDenied,
			"spiffe://public/ns/default-foo/app":        codes.PermissionDenied,
			"spiffe://public/ns/Default/app":            codes.PermissionDenied,
			"spiffe://public/ns/app":                    codes.PermissionDenied,
			"spiffe://public/default/app":               codes.PermissionDenied,
			"spiffe://public/x/ns/default/app":          codes.PermissionDenied,
			"spiffe://public/ns/app/default":            codes.PermissionDenied,
		} {
			who, _ := files(t, ca, id, time.Hour)
			if err := d.enter(t, secured(t, who, "localhost", "default", "dapr-scheduler")); status.Code(err) != want {
				t.Errorf("%s: %v, want %v", id, err, want)
			}
		}
	})
}

func TestPeerMustHaveSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := identitytest.NewAuthority(t)
		server, _ := files(t, ca, schedulerID, time.Hour)
		d := open(t, server)
		for id, want := range map[string]codes.Code{
			schedulerID: codes.OK,
			"spiffe://public/ns/default/dapr-scheduler":      codes.PermissionDenied,
			"spiffe://localhost/ns/default/dapr-scheduler/2": codes.PermissionDenied,
			appID: codes.PermissionDenied,
		} {
			who, _ := files(t, ca, id, time.Hour)
			conn := d.dial(t, secured(t, who, "localhost", "default", "dapr-scheduler"))
			if err := askAs(t.Context(), conn, "peer"); status.Code(err) != want {
				t.Errorf("%s as a node: %v, want %v", id, err, want)
			}
			want := codes.Unavailable // it does not take the server for a node of its own
			if id == schedulerID {
				want = codes.OK
			}
			if err := askAs(t.Context(), d.dial(t, who.Peer()), "peer"); status.Code(err) != want {
				t.Errorf("%s, who looks for a node: %v, want %v", id, err, want)
			}
		}
	})
}

func TestCallerWithoutIdentityIsUnauthenticated(t *testing.T) {
	ca := identitytest.NewAuthority(t)
	cert, key, anchors := ca.Write(t, schedulerID, time.Hour)
	s, err := identity.OpenFiles(identity.Files{Cert: cert, Key: key, CA: anchors}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Authorize(t.Context(), "default", "app"); status.Code(err) != codes.Unauthenticated {
		t.Errorf("%v, want Unauthenticated", err)
	}
	if err := s.AuthorizePeer(t.Context()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("%v, want Unauthenticated", err)
	}
}

func TestSessionIsNotResumedAfterAnchorRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, next := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		server, names := files(t, ca, schedulerID, time.Hour)
		d := open(t, server)
		certPEM, keyPEM := ca.Issue(t, appID, time.Hour)
		certificate, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{
			InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate},
			ServerName: "server", ClientSessionCache: tls.NewLRUClientSessionCache(8),
		}
		for range 2 { // so that there is a session to resume
			if err := d.enter(t, credentials.NewTLS(config)); err != nil {
				t.Fatal(err)
			}
		}
		newCert, newKey := next.Issue(t, schedulerID, time.Hour)
		write(t, names.Cert, newCert)
		write(t, names.Key, newKey)
		write(t, names.CA, next.PEM())
		time.Sleep(time.Minute)
		if err := d.enter(t, credentials.NewTLS(config)); status.Code(err) != codes.Unavailable {
			t.Errorf("%v, want Unavailable", err)
		}
	})
}

func TestFilesAreReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
		server, serverFiles := files(t, old, schedulerID, 2*time.Hour)
		d := open(t, server)
		app, appFiles := files(t, old, appID, 2*time.Hour)
		as := secured(t, app, "localhost", "default", "dapr-scheduler")
		first := d.dial(t, as)
		step := func(what string, want codes.Code) {
			t.Helper()
			time.Sleep(11 * time.Second)
			if err := d.enter(t, as); status.Code(err) != want {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
			if err := ask(t.Context(), first); err != nil {
				t.Errorf("%s: the connection that was there: %v", what, err)
			}
		}
		step("at first", codes.OK)

		both := append(old.PEM(), next.PEM()...)
		write(t, serverFiles.CA, both)
		write(t, appFiles.CA, both)
		step("with both anchors", codes.OK)

		cert, key := next.Issue(t, schedulerID, 2*time.Hour)
		write(t, serverFiles.Cert, cert) // and its key comes later
		step("half way through a change", codes.OK)
		if err := server.Check(); err != nil {
			t.Errorf("half way through a change: %v, want nothing: the old pair is good", err)
		}
		write(t, serverFiles.Key, key)
		step("with a new certificate of the server", codes.OK)

		write(t, serverFiles.CA, next.PEM())
		step("without the anchor of the client", codes.Unavailable)

		cert, key = next.Issue(t, appID, 2*time.Hour)
		write(t, appFiles.Cert, cert)
		write(t, appFiles.Key, key)
		step("with a new certificate of the client", codes.OK)

		if err := os.Remove(serverFiles.Cert); err != nil {
			t.Fatal(err)
		}
		step("when a file has gone", codes.OK)
	})
}

func TestMismatchedFilesAreRefusedAtStart(t *testing.T) {
	ca, other := identitytest.NewAuthority(t), identitytest.NewAuthority(t)
	for what, spoil := range map[string]func(identity.Files){
		"no file":           func(f identity.Files) { _ = os.Remove(f.CA) },
		"another key":       func(f identity.Files) { _, key := ca.Issue(t, appID, time.Hour); write(t, f.Key, key) },
		"another authority": func(f identity.Files) { write(t, f.CA, other.PEM()) },
		"no anchors":        func(f identity.Files) { write(t, f.CA, nil) },
		"no PEM":            func(f identity.Files) { write(t, f.Cert, []byte("hello")) },
		"no SPIFFE id": func(f identity.Files) {
			cert, key := ca.Issue(t, "https://example.org/", time.Hour)
			write(t, f.Cert, cert)
			write(t, f.Key, key)
		},
		"expired": func(f identity.Files) {
			cert, key := ca.Issue(t, appID, -time.Second/2)
			write(t, f.Cert, cert)
			write(t, f.Key, key)
		},
	} {
		cert, key, anchors := ca.Write(t, appID, time.Hour)
		f := identity.Files{Cert: cert, Key: key, CA: anchors}
		if _, err := identity.OpenFiles(f, quiet()); err != nil {
			t.Fatal(err)
		}
		spoil(f)
		if _, err := identity.OpenFiles(f, quiet()); err == nil {
			t.Errorf("%s: they are taken", what)
		} else {
			fmt.Fprintf(t.Output(), "%s: %v\n", what, err)
		}
	}
}
