package identity_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/identity"
	"carillon/internal/identity/identitytest"
)

func TestCertificateCopyIsUpdatedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(t, identitytest.NewAuthority(t), sentryID)
		s, err := identity.OpenSentry(p.ask, quiet())
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "copy")
		names := s.CopyTo(dir)
		early, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.WaitCopied(early); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Copied before Run: %v, want that it waits", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		if err := s.WaitCopied(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			synctest.Wait()
			svid, err := s.GetX509SVID()
			if err != nil {
				t.Fatal(err)
			}
			pair, err := tls.LoadX509KeyPair(names.Cert, names.Key)
			if err != nil || !bytes.Equal(pair.Certificate[0], svid.Certificates[0].Raw) {
				t.Errorf("after %d half hours: %v, want the certificate of now", n, err)
			}
			for name, mode := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, names.Cert: 0o600, names.CA: 0o600} {
				if info, err := os.Stat(name); err != nil || info.Mode() != mode {
					t.Errorf("%s: %v, %v, want the mode %v", name, info, err, mode)
				}
			}
			time.Sleep(30*time.Minute + time.Second)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the copy, when the source has ended: %v, want that it is gone", err)
		}
	})
}
