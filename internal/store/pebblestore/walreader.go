package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errLogTorn means that a log ends with an incomplete chunk.
var errLogTorn = errors.New("ends with an incomplete write: torn by a power cut, or damaged by the disk")

// logContent is the undamaged beginning of a log.
type logContent struct {
	length      int64
	closed      bool   // it ends with a trailer
	first, next uint64 // number of its first batch, and of the one after its last; 0 without batches
	head        []byte // beginning of the batch that is being read
}

// batchHeader is the length of the number and the count of a batch.
const batchHeader = 12

// add adds a chunk of that kind with its payload.
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

// readLog reads a log up to the first incomplete chunk.
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

// isTrailer reports whether b begins with the trailer of the log with this number.
func isTrailer(b []byte, number uint32) bool {
	return len(b) >= plainHeader && b[6] == firstPlainKind && binary.LittleEndian.Uint32(b) == 0 &&
		binary.LittleEndian.Uint32(b[7:]) == number+1
}

// checkRest checks what follows the last complete chunk, at this offset of the log, in its block.
func checkRest(rest []byte, offset int64, number uint32) error {
	if len(rest) < plainHeader {
		return nil
	}
	torn := binary.LittleEndian.Uint32(rest[7:]) == number
	for i := range rest[:len(rest)-plainHeader+1] {
		c, ok := parseChunk(rest[i:], number)
		if ok && c.synced > offset {
			return fmt.Errorf("is damaged at byte %d: %w", offset, errDamaged)
		}
		torn = torn || ok
	}
	if torn {
		return errLogTorn
	}
	return nil
}
