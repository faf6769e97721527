package identity

import (
	"context"
	"path/filepath"
)

// CopyTo makes Run copy the certificate, its key and the anchors to a directory, for a part of the
// process that reads files only. The directory and the files are private to the user, and are
// removed when Run ends. It must be called before Run.
func (s *Source) CopyTo(dir string) Files {
	s.copy = &fileCopy{dir: dir, written: make(chan struct{})}
	pair := filepath.Join(dir, pairFile)
	return Files{Cert: pair, Key: pair, CA: filepath.Join(dir, caFile)}
}

// WaitCopied waits until the copies exist, or ctx ends.
func (s *Source) WaitCopied(ctx context.Context) error {
	select {
	case <-s.copy.written:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
