package pebblestore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A log is blocks of chunks. A chunk has a checksum of four bytes, the length of what it carries in two, its kind, the
// number of its log in four, and since FormatWALSyncChunks, in eight, up to where the log had been synced before
// it.
const (
	logBlock    = 32 << 10
	plainHeader = 11
	syncHeader  = 19

	firstPlainKind, lastPlainKind = 5, 8
	firstSyncKind, lastSyncKind   = 9, 12
)

// A chunk is one that is whole.
type chunk struct {
	header int   // its length
	size   int   // the whole length
	synced int64 // up to where the log had been synced before; 0 if the chunk does not say
}

// parseChunk returns the chunk of the log with that number at the front of b.
func parseChunk(b []byte, log uint32) (c chunk, ok bool) {
	if len(b) < plainHeader || binary.LittleEndian.Uint32(b[7:]) != log {
		return chunk{}, false
	}
	switch kind := b[6]; {
	case kind >= firstPlainKind && kind <= lastPlainKind:
		c.header = plainHeader
	case kind >= firstSyncKind && kind <= lastSyncKind && len(b) >= syncHeader:
		c.header = syncHeader
		c.synced = int64(binary.LittleEndian.Uint64(b[plainHeader:]))
	default:
		return chunk{}, false
	}
	c.size = c.header + int(binary.LittleEndian.Uint16(b[4:]))
	if c.size > len(b) || binary.LittleEndian.Uint32(b) != chunkSum(b[6:c.size]) {
		return chunk{}, false
	}
	return c, true
}

func chunkSum(b []byte) uint32 {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// errLogTorn says that a log ends in a chunk of its own that is not whole.
var errLogTorn = errors.New("ends in a write that is not whole: a power cut has torn it, or the disk has damaged it")

// checkLogs looks for damage in the logs of dir from the number first on, which Pebble does not notice all of. It takes
// what is not whole in the newest log for its end, and looks at what follows in other blocks only; and it does not miss a
// log, nor the end of one that was closed before another was made. It returns an error that says errLogTorn if nobody can
// say whether what is missing was ever acknowledged.
func checkLogs(fs vfs.FS, dir string, first uint64) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	var logs []uint64
	for _, name := range names {
		if n, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 32); err == nil && isLog(name) && n >= first {
			logs = append(logs, n)
		}
	}
	slices.Sort(logs)
	next := uint64(0) // the number of the batch that comes next; 0 if there was none so far
	for i, n := range logs {
		found, err := readLogFile(fs, fs.PathJoin(dir, fmt.Sprintf("%06d.log", n)), n)
		switch {
		case err == nil && found.length > 0 && i < len(logs)-1 && !found.closed:
			err = fmt.Errorf("ends at byte %d, and was longer: %w", found.length, errDamaged)
		case err == nil && found.next > 0 && next > 0 && found.first != next:
			err = fmt.Errorf("begins with batch %d, and not with %d: %w", found.first, next, errDamaged)
		}
		if err != nil {
			return fmt.Errorf("%06d.log %w", n, err)
		}
		next = max(next, found.next)
	}
	if next > 0 && first > 0 && logs[0] != first {
		return fmt.Errorf("%06d.log is missing: %w", first, errDamaged)
	}
	return nil
}

func readLogFile(fs vfs.FS, path string, number uint64) (logContent, error) {
	f, err := fs.Open(path)
	if err != nil {
		return logContent{}, err
	}
	defer f.Close()
	return readLog(f, uint32(number))
}

// A logContent is what is whole of a log.
type logContent struct {
	length      int64
	closed      bool   // it ends in good order
	first, next uint64 // the number of its first batch, and the one after its last; 0 if it has none
	head        []byte // of the batch whose chunks are being read
}

// batchHeader is the number and the count of a batch.
const batchHeader = 12

// add adds a chunk of that kind, and what it carries.
func (l *logContent) add(kind byte, carried []byte) {
	kind = (kind - firstPlainKind) % 4 // whole, first, middle, last
	if kind < 2 {
		l.head = l.head[:0]
	}
	l.head = append(l.head, carried[:min(len(carried), batchHeader-len(l.head))]...)
	if kind != 0 && kind != 3 || len(l.head) < batchHeader {
		return
	}
	number := binary.LittleEndian.Uint64(l.head)
	if l.next == 0 {
		l.first = number
	}
	l.next = number + uint64(binary.LittleEndian.Uint32(l.head[8:]))
}

// readLog reads a log up to the first chunk that is not whole.
func readLog(log io.Reader, number uint32) (l logContent, err error) {
	block := make([]byte, logBlock)
	for start := int64(0); ; start += logBlock {
		n, err := io.ReadFull(log, block)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return l, fmt.Errorf("cannot be read: %w", err)
		}
		i := 0
		for {
			c, ok := parseChunk(block[i:n], number)
			if !ok {
				break
			}
			l.add(block[i+6], block[i+c.header:i+c.size])
			i += c.size
			l.length = start + int64(i)
		}
		if n == logBlock && n-i < syncHeader {
			continue // what is left of the block is too small for a chunk
		}
		if l.closed = isTrailer(block[i:n], number); l.closed {
			return l, nil
		}
		return l, checkRest(block[i:n], start+int64(i), number)
	}
}

// isTrailer reports whether b begins with what closes the log of that number.
func isTrailer(b []byte, number uint32) bool {
	return len(b) >= plainHeader && b[6] == firstPlainKind && binary.LittleEndian.Uint32(b) == 0 &&
		binary.LittleEndian.Uint32(b[7:]) == number+1
}

// checkRest looks at what follows the last whole chunk in its block, which ends at that offset of the log.
func checkRest(rest []byte, offset int64, number uint32) error {
	if len(rest) < plainHeader {
		return nil
	}
	torn := binary.LittleEndian.Uint32(rest[7:]) == number
	for i := range rest[:len(rest)-plainHeader+1] {
		c, ok := parseChunk(rest[i:], number)
		if ok && c.synced > offset {
			return fmt.Errorf("is not what was written, at byte %d: %w", offset, errDamaged)
		}
		torn = torn || ok
	}
	if torn {
		return errLogTorn
	}
	return nil
}

// firstLog returns the number of the first log that a manifest does not call superfluous.
func firstLog(manifest io.Reader) (number uint64) {
	const comparer, first = 1, 2 // the parts that a record of a manifest begins with, if it has them
	records := record.NewReader(manifest, 0)
	for {
		r, err := records.Next()
		if err != nil {
			return number // the end, which the seal has judged
		}
		b := bufio.NewReader(r)
		part, err := binary.ReadUvarint(b)
		if err == nil && part == comparer {
			var length uint64
			if length, err = binary.ReadUvarint(b); err == nil {
				_, _ = io.CopyN(io.Discard, b, int64(length))
				part, err = binary.ReadUvarint(b)
			}
		}
		if err != nil || part != first {
			continue
		}
		if n, err := binary.ReadUvarint(b); err == nil {
			number = n
		}
	}
}
