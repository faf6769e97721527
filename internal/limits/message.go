package limits

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// readStep is how many bytes of a large message are read at a time. Received bytes that are not
// read do not count against the budget.
const readStep = 4 << 10

// A message is one that is being received, and counts against the budget until it is released. It
// belongs to one goroutine, except for its link, which its list guards.
type message struct {
	incomingMessage

	of       *MessageMemory
	ctx      context.Context //nolint:containedctx // of the call that the message is a part of
	small    int64           // limits of the budget, for small and for large messages
	large    int64
	isStream bool
	waits    bool  // for memory
	acquired int64 // bytes of the budget
	header   [5]byte
}

func newMessage(ctx context.Context, m *MessageMemory, method string, isStream bool) *message {
	msg := &message{of: m, ctx: ctx, isStream: isStream, waits: isStream || slices.Contains(m.Waiting, method)}
	msg.from, _ = grpc.ServerTransportStreamFromContext(ctx).(transportStream)
	msg.small, msg.large = m.Budget.max, m.Budget.Large()
	if len(m.Reserved) > 0 {
		msg.small -= max(m.Budget.max/8, int64(m.Max+m.Max/16))
		msg.large = min(msg.large, msg.small-m.Budget.max/8) // leaves an eighth to small messages
	}
	if slices.Contains(m.Reserved, method) {
		msg.small, msg.large = m.Budget.max, m.Budget.max
	}
	return msg
}

// read receives a message into v. If grpc-go does not expose the transport stream, it receives with
// the function read, and the message counts as the largest.
func (m *message) read(v any, read func(any) error) error {
	if m.from == nil {
		if err := m.acquire(2*m.of.Max, m.large); err != nil {
			return err
		}
		return read(v)
	}
	if err := m.from.ReadMessageHeader(m.header[:]); err != nil {
		if errors.Is(err, io.EOF) && !m.isStream {
			return status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")
		}
		return asStatus(err)
	}
	length := binary.BigEndian.Uint32(m.header[1:])
	if int64(length) > int64(m.of.Max) {
		return status.Errorf(codes.ResourceExhausted, "%s (%d vs. %d)", tooLarge, length, m.of.Max)
	}
	m.length = int(length)
	data, err := m.receive()
	if err != nil {
		return err
	}
	defer data.Free()
	return m.decode(data, v)
}

// receive returns the bytes of the message when all have arrived. The message of a unary call must
// be the only one.
func (m *message) receive() (data mem.BufferSlice, err error) {
	size := m.length
	if !m.waits { // a message that may wait for memory acquires all at once, and holds none meanwhile
		size = min(size, SmallMessage)
	}
	limit := m.limit(m.length)
	if err := m.acquire(2*size, limit); err != nil {
		return nil, err
	}
	m.of.incoming.add(&m.incomingMessage)
	if m.length <= readStep {
		data, err = m.from.Read(m.length)
	} else {
		data, err = m.gather(size, limit)
	}
	if err == nil && !m.isStream {
		err = m.end()
	}
	if m.of.incoming.remove(&m.incomingMessage) {
		err = stalled(m.length)
	}
	if err != nil {
		data.Free()
		return nil, asStatus(err)
	}
	return data, nil
}

// gather returns the bytes of a message of more than readStep bytes. The first size bytes are
// acquired already; it acquires more as they arrive.
func (m *message) gather(size int, limit int64) (mem.BufferSlice, error) {
	bytes := make([]byte, 0, size)
	for len(bytes) < m.length {
		if len(bytes) == size {
			size = min(m.length, 2*size)
			if err := m.acquire(2*(size-len(bytes)), limit); err != nil {
				return nil, err
			}
			bytes = append(make([]byte, 0, size), bytes...)
		}
		data, err := m.from.Read(min(readStep, size-len(bytes)))
		if err != nil {
			return nil, err
		}
		for _, d := range data {
			bytes = append(bytes, d.ReadOnlyData()...)
		}
		data.Free()
	}
	return mem.BufferSlice{mem.SliceBuffer(bytes)}, nil
}

// end waits until the client has half-closed a unary call: nothing may follow the message.
func (m *message) end() error {
	err := m.from.ReadMessageHeader(m.header[1:]) // decode still needs the first byte
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return status.Error(codes.Internal, "cardinality violation: received multiple request messages for non-client-streaming RPC")
	}
	return err
}

// decode decodes data into v.
func (m *message) decode(data mem.BufferSlice, v any) error {
	received := data.Len()
	if m.header[0] != 0 {
		plain, err := m.decompress(data)
		if err != nil {
			return err
		}
		data = plain
	}
	if err := m.of.Codec.Unmarshal(data, v); err != nil {
		if _, ok := status.FromError(err); ok {
			return err
		}
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	if m.of.Stats != nil {
		m.of.Stats.HandleRPC(m.ctx, &stats.InPayload{
			RecvTime: time.Now(), Payload: v, Length: data.Len(), WireLength: received + len(m.header), CompressedLength: received,
		})
	}
	return nil
}

// decompress returns data decompressed.
func (m *message) decompress(data mem.BufferSlice) (mem.BufferSlice, error) {
	name := m.from.RecvCompress()
	compressor := encoding.GetCompressor(name)
	if m.header[0] != 1 || name == "" || compressor == nil {
		return nil, status.Errorf(codes.Internal, "grpc: the message is marked as compressed (%d), and its grpc-encoding is %.64q",
			m.header[0], name)
	}
	in := data.Reader()
	defer func() { _ = in.Close() }()
	out, err := compressor.Decompress(in)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: failed to decompress the message: %v", err)
	}
	var bytes []byte
	for {
		if len(bytes) == cap(bytes) {
			size := max(readStep, 2*len(bytes))
			if err := m.acquire(2*(size-len(bytes)), m.limit(size)); err != nil {
				return nil, err
			}
			bytes = append(make([]byte, 0, size), bytes...)
		}
		n, err := out.Read(bytes[len(bytes):cap(bytes)])
		bytes = bytes[:len(bytes)+n]
		switch {
		case len(bytes) > m.of.Max:
			return nil, status.Errorf(codes.ResourceExhausted, "grpc: message after decompression larger than max (%d vs. %d)", len(bytes), m.of.Max)
		case errors.Is(err, io.EOF):
			return mem.BufferSlice{mem.SliceBuffer(bytes)}, nil
		case err != nil:
			return nil, status.Errorf(codes.Internal, "grpc: failed to read decompressed data: %v", err)
		}
	}
}

// limit returns how many bytes of the budget may be in use when a message of this size is admitted.
func (m *message) limit(bytes int) int64 {
	if bytes <= SmallMessage {
		return m.small
	}
	return m.large
}

// acquire acquires n bytes of the budget, or returns the error of the call.
func (m *message) acquire(n int, limit int64) error {
	if m.of.acquire(m.ctx, int64(n), limit, m.waits) {
		m.acquired += int64(n)
		return nil
	}
	return status.Errorf(codes.ResourceExhausted, "receive a message of %d bytes: the memory for requests, %d bytes, is in use: "+
		"try again later, or raise the memory limit", max(m.length, n/2), m.of.Budget.max)
}

// release releases the bytes that the message has acquired.
func (m *message) release() {
	if m.acquired > 0 {
		m.of.Budget.Release(m.acquired)
		m.acquired = 0
	}
}

// asStatus converts an error of a transport stream as grpc-go does.
func asStatus(err error) error {
	if _, ok := status.FromError(err); ok || errors.Is(err, io.EOF) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return status.Error(codes.Internal, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}
