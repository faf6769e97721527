// Package archive writes all of a store into a file, and a file into an empty store, of whatever kind either is. So it is
// a backup, and the way from one node to several and back.
//
// A file begins with a line that names the format. Each pair follows, key and value with their lengths before them; then
// an empty key, how many pairs there were, and a checksum of everything before. A file that lacks its end, or has been
// changed, is refused before anything of it is believed to be complete.
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

// maxPart is how large a key or a value may be; a longer one is a damaged length.
const maxPart = 16 << 20

var (
	errDamaged = errors.New("the file is no archive of Carillon, or it is damaged: take another copy")
	errInUse   = errors.New("the store holds jobs already: restore into an empty one")
	errFormat  = errors.New("the store is of another kind than the one that the backup is of: restore into one that was made by the same version and with the same keys")
)

// newSum returns the checksum of an archive, of nothing yet.
func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// Write writes every pair of s to w, and returns how many there were whose key is of a job, as isJob says. It sees s at one
// moment only if s does.
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

// Check reads all of r and returns how many pairs it holds, or an error if it is not whole.
func Check(r io.Reader) (pairs int, err error) {
	return read(r, func(_, _ []byte) error { return nil })
}

// Read puts every pair that r holds into s, and returns how many there were whose key is of a job, as isJob says; ofJob is
// also true of what else there is about one. s holds nothing yet but what a store says of
// itself, which is about no job and the same in r. After an error s holds a part of them.
func Read(
	ctx context.Context, r io.Reader, s store.Store, isJob, ofJob func(key []byte) bool, progress func(jobs int),
) (jobs int, err error) {
	existing := map[string][]byte{}
	for p, err := range s.Scan(ctx, store.Range{}, 1000) {
		switch {
		case err != nil:
			return 0, fmt.Errorf("look into the store: %w", err)
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

// read calls each with every pair of r, which are each's to keep.
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

// A summed reader keeps the checksum of what was read.
type checksumReader struct {
	r   *bufio.Reader
	sum io.Writer
}

// Read is [io.Reader.Read].
func (s *checksumReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	_, _ = s.sum.Write(b[:n])
	return n, err
}

// ReadByte is [io.ByteReader.ReadByte].
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
