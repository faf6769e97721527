package limits

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// A transportStream is the part of a call's transport stream in grpc-go from which messages are
// read. It is no public interface of grpc-go; a test checks that a transport stream still has it.
type transportStream interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	RecvCompress() string
	WriteStatus(s *status.Status) error
}
