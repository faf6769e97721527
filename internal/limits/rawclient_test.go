package limits_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// A rawClient makes calls with raw HTTP/2 frames, so that it can send part of a message.
type rawClient struct {
	conn   net.Conn
	framer *http2.Framer
	header *hpack.Encoder
	block  *bytes.Buffer
	turn   chan struct{} // a semaphore for writes: a goroutine blocked on a mutex would stop fake time
	next   uint32
	ended  sync.Map // by stream, channels of codes
}

func newRawClient(t *testing.T, conn net.Conn) *rawClient {
	t.Helper()
	c := &rawClient{conn: conn, framer: http2.NewFramer(conn, conn), block: new(bytes.Buffer), next: 1, turn: make(chan struct{}, 1)}
	c.header = hpack.NewEncoder(c.block)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := c.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	go c.read()
	return c
}

// read records the status of calls until the connection ends.
func (c *rawClient) read() {
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if code, err := strconv.Atoi(h.Value); h.Name == "grpc-status" && err == nil {
					ended, _ := c.ended.Load(f.StreamID)
					ended.(chan codes.Code) <- codes.Code(code)
				}
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				go c.write(func() error { return c.framer.WritePing(true, f.Data) })
			}
		case *http2.SettingsFrame:
			if !f.IsAck() {
				go c.write(c.framer.WriteSettingsAck)
			}
		}
	}
}

func (c *rawClient) write(f func() error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	_ = f() // the connection may have ended
}

// begin begins a call whose message has length bytes, and sends none of them. ended yields the
// status.
func (c *rawClient) begin(method string, length int) (id uint32, ended <-chan codes.Code) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	id = c.next
	c.next += 2
	status := make(chan codes.Code, 2)
	c.ended.Store(id, status)
	c.block.Reset()
	for _, h := range [][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", method},
		{":authority", "a"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		_ = c.header.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true})
	_ = c.framer.WriteData(id, false, binary.BigEndian.AppendUint32([]byte{0}, uint32(length)))
	return id, status
}

// send sends n bytes of the message of a call.
func (c *rawClient) send(id uint32, n int) {
	c.write(func() error { return c.framer.WriteData(id, false, make([]byte, n)) })
}
