package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A fileCopy is files that follow a source.
type fileCopy struct {
	dir     string
	written chan struct{} // closed when they are there
	last    x509Material  // what was written last; of the goroutine of Run
}

// The files of a copy. The certificate is in one file with its key, so that both change at once.
const (
	pairFile = "certificate.pem"
	caFile   = "ca.pem"
)

// CopyTo has Run keep copies of the certificate, its key and the anchors in a folder, for a part of the process that reads
// them from files alone. The folder and the files are their user's only, and removed when Run ends. It is to be called
// before Run.
func (s *Source) CopyTo(dir string) Files {
	s.copy = &fileCopy{dir: dir, written: make(chan struct{})}
	pair := filepath.Join(dir, pairFile)
	return Files{Cert: pair, Key: pair, CA: filepath.Join(dir, caFile)}
}

// Copied waits until the copies are there, or ctx ends.
func (s *Source) WaitCopied(ctx context.Context) error {
	select {
	case <-s.copy.written:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take writes p, if that is new.
func (c *fileCopy) update(p x509Material) error {
	if p.svid == nil || p.svid == c.last.svid && slices.EqualFunc(p.anchors, c.last.anchors, (*x509.Certificate).Equal) {
		return nil
	}
	cert, key, err := p.svid.Marshal()
	if err == nil {
		err = os.MkdirAll(c.dir, 0o700)
	}
	if err == nil {
		err = errors.Join(c.write(caFile, encodeCerts(p.anchors)), c.write(pairFile, append(cert, key...)))
	}
	if err != nil {
		return fmt.Errorf("copy the certificate to files: %w", err)
	}
	if c.last.svid == nil {
		close(c.written)
	}
	c.last = p
	return nil
}

// write puts a file in the place of the one that was there, at once.
func (c *fileCopy) write(name string, text []byte) error {
	path := filepath.Join(c.dir, name)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// remove removes the files.
func (c *fileCopy) remove() { _ = os.RemoveAll(c.dir) }

func encodeCerts(all []*x509.Certificate) (text []byte) {
	for _, cert := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}
