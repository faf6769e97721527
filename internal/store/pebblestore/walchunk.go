package pebblestore

import (
	"encoding/binary"
	"hash/crc32"
)

// A log consists of blocks of chunks. The header of a chunk has a checksum (four bytes), the length
// of the payload (two), its kind, the number of the log (four) and, since FormatWALSyncChunks, how
// far the log was synced before the chunk (eight).
const (
	logBlock    = 32 << 10
	plainHeader = 11
	syncHeader  = 19

	firstPlainKind, lastPlainKind = 5, 8
	firstSyncKind, lastSyncKind   = 9, 12
)

// walChunk is an undamaged chunk.
type walChunk struct {
	header int   // length of the header
	size   int   // whole length
	synced int64 // how far the log was synced before; 0 if the chunk does not say
}

// parseChunk parses the chunk at the start of b of the log with this number.
func parseChunk(b []byte, log uint32) (c walChunk, ok bool) {
	if len(b) < plainHeader || binary.LittleEndian.Uint32(b[7:]) != log {
		return walChunk{}, false
	}
	switch kind := b[6]; {
	case kind >= firstPlainKind && kind <= lastPlainKind:
		c.header = plainHeader
	case kind >= firstSyncKind && kind <= lastSyncKind && len(b) >= syncHeader:
		c.header = syncHeader
		c.synced = int64(binary.LittleEndian.Uint64(b[plainHeader:]))
	default:
		return walChunk{}, false
	}
	c.size = c.header + int(binary.LittleEndian.Uint16(b[4:]))
	if c.size > len(b) || binary.LittleEndian.Uint32(b) != chunkSum(b[6:c.size]) {
		return walChunk{}, false
	}
	return c, true
}

// chunkSum is the checksum of a chunk.
func chunkSum(b []byte) uint32 {
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (sum>>15 | sum<<17) + 0xa282ead8
}
