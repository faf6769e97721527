// Package archive writes a store to a file, and a file to an empty store. The stores may be of
// different kinds: an archive is a backup, and the way from a single node to a cluster and back.
//
// A file begins with a line that names the format. Then come the pairs: key and value, each after
// its length; then an empty key, the number of pairs, and a checksum of everything before. A file
// that is incomplete or was changed is refused.
package archive

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"carillon/internal/store"
)

const header = "carillon archive 1\n"

// maxPart is the maximum length of a key or a value; a longer one means a damaged length.
const maxPart = 16 << 20

var (
	errDamaged = errors.New("the file is not an archive of Carillon, or it is damaged: use another copy")
	errInUse   = errors.New("the store has jobs: restore into an empty store")
	errFormat  = errors.New("the store does not match the backup: restore into a store of the same version with the same keys")
)

// newSum returns an empty checksum of an archive.
func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// Write writes all pairs of s to w, and returns the number of those whose key is a job according to
// isJob. It is a snapshot only if a scan of s is.
func Write(ctx context.Context, w io.Writer, s store.Store, isJob func(key []byte) bool, progress func(jobs int)) (jobs int, err error) {
	pairs := 0
	sum := newSum()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
	b := append([]byte{}, header...)
	for p, err := range s.Scan(ctx, store.Range{}, 0) {
		if err != nil {
			return jobs, fmt.Errorf("read the store: %w", err)
		}
		b = append(binary.AppendUvarint(b, uint64(len(p.Key))), p.Key...)
		b = append(binary.AppendUvarint(b, uint64(len(p.Value))), p.Value...)
		if _, err := out.Write(b); err != nil {
			return jobs, fmt.Errorf("write the archive: %w", err)
		}
		b = b[:0]
		if isJob(p.Key) {
			jobs++
		}
		if pairs++; pairs%10_000 == 0 {
			progress(jobs)
		}
	}
	b = binary.AppendUvarint(append(b, 0), uint64(pairs))
	if _, err := out.Write(b); err != nil {
		return jobs, fmt.Errorf("write the archive: %w", err)
	}
	if err := out.Flush(); err != nil {
		return jobs, fmt.Errorf("write the archive: %w", err)
	}
	if _, err := w.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return jobs, fmt.Errorf("write the archive: %w", err)
	}
	return jobs, nil
}

// Check reads all of r and returns the number of pairs, or an error if r is incomplete.
func Check(r io.Reader) (pairs int, err error) {
	return read(r, func(_, _ []byte) error { return nil })
}

// Read writes all pairs of r to s, and returns the number of those whose key is a job according to
// isJob. ofJob also reports other keys of jobs. s must be empty, except for keys that describe the
// store itself, which are not of jobs and have the same values in r. After an error, s has a part
// of the pairs.
func Read(
	ctx context.Context, r io.Reader, s store.Store, isJob, ofJob func(key []byte) bool, progress func(jobs int),
) (jobs int, err error) {
	existing := map[string][]byte{}
	for p, err := range s.Scan(ctx, store.Range{}, 1000) {
		switch {
		case err != nil:
			return 0, fmt.Errorf("read the store: %w", err)
		case ofJob(p.Key):
			return 0, errInUse
		}
		existing[string(p.Key)] = append([]byte{}, p.Value...)
	}
	var b store.Batch
	writes, bytes := s.MaxBatch()
	size := 0
	commit := func() error {
		if err := s.Commit(ctx, &b); err != nil {
			return fmt.Errorf("write to the store: %w", err)
		}
		progress(jobs)
		b.Reset()
		size = 0
		return nil
	}
	_, err = read(r, func(key, value []byte) error {
		if n := len(key) + len(value); len(b.Writes) == min(writes, 1000) || size+n > min(bytes, 1<<20) && size > 0 {
			if err := commit(); err != nil {
				return err
			}
		}
		if v, ok := existing[string(key)]; ok && string(v) != string(value) {
			return errFormat
		}
		b.Put(key, value)
		if isJob(key) {
			jobs++
		}
		size += len(key) + len(value)
		return nil
	})
	if err == nil && len(b.Writes) > 0 {
		err = commit()
	}
	return jobs, err
}

// read calls each with every pair of r. Each may keep the slices.
func read(r io.Reader, each func(key, value []byte) error) (pairs int, err error) {
	sum := newSum()
	in := &checksumReader{r: bufio.NewReaderSize(r, 1<<20), sum: sum}
	first := make([]byte, len(header))
	if _, err := io.ReadFull(in, first); err != nil || string(first) != header {
		return 0, errDamaged
	}
	for {
		key, err := in.part()
		if err != nil {
			return pairs, err
		}
		if len(key) == 0 {
			break
		}
		value, err := in.part()
		if err != nil {
			return pairs, err
		}
		if err := each(key, value); err != nil {
			return pairs, err
		}
		pairs++
	}
	n, err := binary.ReadUvarint(in)
	want := sum.Sum32()
	var end [4]byte
	if err == nil {
		_, err = io.ReadFull(in.r, end[:])
	}
	if err != nil || n != uint64(pairs) || binary.BigEndian.Uint32(end[:]) != want {
		return pairs, errDamaged
	}
	return pairs, nil
}

// checksumReader updates a checksum with the bytes that it reads.
type checksumReader struct {
	r   *bufio.Reader
	sum io.Writer
}

// Read implements [io.Reader].
func (s *checksumReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	_, _ = s.sum.Write(b[:n])
	return n, err
}

// ReadByte implements [io.ByteReader].
func (s *checksumReader) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		_, _ = s.sum.Write([]byte{b})
	}
	return b, err
}

// part returns the next key or value.
func (s *checksumReader) part() ([]byte, error) {
	n, err := binary.ReadUvarint(s)
	if err != nil || n > maxPart {
		return nil, errDamaged
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s, b); err != nil {
		return nil, errDamaged
	}
	return b, nil
}
