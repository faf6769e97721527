package identity

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// fileCopy writes the certificate of a source to files.
type fileCopy struct {
	dir     string
	written chan struct{} // closed when the files exist
	last    x509Material  // what was written last; used by the goroutine of Run only
}

// Files of a copy. The certificate and its key are in one file, so that both change at once.
const (
	pairFile = "certificate.pem"
	caFile   = "ca.pem"
)

// update writes p, if it is new.
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

// write replaces a file atomically.
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

// remove removes the directory.
func (c *fileCopy) remove() { _ = os.RemoveAll(c.dir) }

func encodeCerts(all []*x509.Certificate) (text []byte) {
	for _, cert := range all {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return text
}
