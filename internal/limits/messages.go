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

// MinMessageBytes is the least that a budget for messages of up to 4 MiB may have: less would never take a large one.
const MinMessageBytes = 16 << 20

// Messages bounds the memory of the messages that a server receives, over all connections. A message takes twice its
// bytes, since it is held as it came and decoded, from when its bytes come until its call has ended; a large one takes them
// as they come.
//
// A call whose message finds no room is refused; a message of a stream waits for a while, and then its stream is refused.
// Messages of more than 64 KiB leave a quarter of the budget to others. If there are methods in Reserved, all others leave an
// eighth of the budget to them, or Max if that is more, and large messages an eighth more than small ones.
// When there is no room, messages are refused that are still on their way five seconds later, if there is none then: a slow
// client does not keep out the rest.
//
// On top of the budget a connection holds what its streams have received and nobody has read, which is [Window] bytes for
// each stream at most, and 4 KiB for each message that is being received.
type Messages struct {
	Budget *Budget
	// Max is how many bytes one message may have.
	Max int
	// Codec decodes messages. If its error is a status, it is the call's.
	Codec encoding.CodecV2
	// Stats is told of each message, if it is not nil.
	Stats stats.Handler
	// Answered are the full names of methods whose streams answer each message with one, in their order: a message
	// counts until it is answered. One of any other stream counts until the next is asked for.
	Answered []string
	// Reserved are the full names of methods for which an eighth of the budget is reserved, or Max if that is more.
	Reserved []string

	onWay onWay
}

const (
	// Window is how many bytes of a stream a client may send before they are read.
	Window = 64 << 10
	// SmallMessage is how many bytes a message may have that large ones leave room for.
	SmallMessage = 64 << 10
	// ConnWindow is how many bytes may be on their way on a connection. They are given to their streams as they come.
	ConnWindow = 1 << 20

	readStep   = 4 << 10 // what a stream has received is not counted before it is read
	streamWait = 10      // seconds that a stream's message waits for room
)

// A source is where a message comes from: what grpc-go gives a call as its transport stream. It is not declared there for
// others, so that a test shows that it still is one.
type source interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
	RecvCompress() string
	WriteStatus(s *status.Status) error
}

// A message is one that is being received, and then counts until it is released. It belongs to one goroutine, but for what
// onWay guards.
type message struct {
	of       *Messages
	from     source
	ctx      context.Context //nolint:containedctx // of the call that the message is a part of
	small    int64           // limits of the budget, for small and for large messages
	large    int64
	isStream bool
	taken    int64
	length   int
	header   [5]byte
	place    place
}

func (m *Messages) newMessage(ctx context.Context, method string, isStream bool) *message {
	msg := &message{of: m, ctx: ctx, isStream: isStream}
	msg.from, _ = grpc.ServerTransportStreamFromContext(ctx).(source)
	msg.small, msg.large = m.Budget.max, m.Budget.Large()
	if len(m.Reserved) > 0 {
		msg.small -= max(m.Budget.max/8, int64(m.Max))
		msg.large = min(msg.large, msg.small-m.Budget.max/8) // small calls go on while large ones are refused
	}
	if isStream && slices.Contains(m.Reserved, method) {
		msg.small, msg.large = m.Budget.max, m.Budget.max
	}
	return msg
}

// read receives a message into v. If grpc-go does not show its transport stream, read is how a message is received, and
// counts as the largest.
func (m *message) read(v any, read func(any) error) error {
	if m.from == nil {
		if err := m.take(2*m.of.Max, m.large); err != nil {
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

// receive returns the bytes of the message when all have come, and of a call nothing else.
func (m *message) receive() (data mem.BufferSlice, err error) {
	size := m.length
	if !m.isStream { // which would hold what it has while it waits for more
		size = min(size, SmallMessage)
	}
	limit := m.limit(m.length)
	if err := m.take(2*size, limit); err != nil {
		return nil, err
	}
	m.of.onWay.enter(m)
	if m.length <= readStep {
		data, err = m.from.Read(m.length)
	} else {
		data, err = m.gather(size, limit)
	}
	if err == nil && !m.isStream {
		err = m.end()
	}
	if m.of.onWay.leave(m) {
		err = refusedSlow(m.length)
	}
	if err != nil {
		data.Free()
		return nil, asStatus(err)
	}
	return data, nil
}

// gather returns the bytes of a message that does not come at once. There is room for the first size bytes, and it takes
// more of the budget as they come.
func (m *message) gather(size int, limit int64) (mem.BufferSlice, error) {
	bytes := make([]byte, 0, size)
	for len(bytes) < m.length {
		if len(bytes) == size {
			size = min(m.length, 2*size)
			if err := m.take(2*(size-len(bytes)), limit); err != nil {
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

// end waits until the client has said that nothing follows the message of a call.
func (m *message) end() error {
	err := m.from.ReadMessageHeader(m.header[1:]) // the first byte is of use yet
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

// decompress returns data as it was before it was compressed.
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
			if err := m.take(2*(size-len(bytes)), m.limit(size)); err != nil {
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

// limit returns how much of the budget may be in use with a message of that many bytes.
func (m *message) limit(bytes int) int64 {
	if bytes <= SmallMessage {
		return m.small
	}
	return m.large
}

// take takes n bytes of the budget, or says why not.
func (m *message) take(n int, limit int64) error {
	if m.of.take(m.ctx, int64(n), limit, m.isStream) {
		m.taken += int64(n)
		return nil
	}
	return status.Errorf(codes.ResourceExhausted, "receive a message of %d bytes: the memory for requests, %d bytes, is in use: "+
		"try again later, or raise the memory limit", max(m.length, n/2), m.of.Budget.max)
}

func (m *Messages) take(ctx context.Context, n, limit int64, isStream bool) bool {
	if m.Budget.TakeWithin(n, limit) {
		return true
	}
	for range streamWait {
		if refused := m.onWay.refuseSlow(time.Now()); !refused && !isStream {
			return false
		}
		second, cancel := context.WithTimeout(ctx, time.Second)
		taken := m.Budget.WaitWithin(second, n, limit)
		cancel()
		if taken || ctx.Err() != nil || !isStream {
			return taken
		}
	}
	return false
}

// release gives back what the message has taken.
func (m *message) release() {
	if m.taken > 0 {
		m.of.Budget.Give(m.taken)
		m.taken = 0
	}
}

// asStatus returns an error of a transport as grpc-go returns it.
func asStatus(err error) error {
	if _, ok := status.FromError(err); ok || errors.Is(err, io.EOF) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return status.Error(codes.Internal, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}
