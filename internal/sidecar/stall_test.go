package sidecar_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"carillon/internal/sidecar"
)

// A stall is an app's response that stops halfway.
type stall struct {
	part   string // at which it stops
	begins []byte // what comes before
	taken  bool   // the status says that the app took the trigger
}

// checkStalls checks that each stall ends within 15 seconds, with the expected outcome, and that
// the job is delivered again afterwards. The app stalls if stalled is set, and otherwise succeeds.
func checkStalls(t *testing.T, protocol string, stalls []stall, serve func(conn net.Conn, s stall, stalled *atomic.Bool)) {
	t.Helper()
	for _, s := range stalls {
		t.Run(s.part, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var stalled atomic.Bool
				f := startRawAs(t, protocol, func(conn net.Conn) { serve(conn, s, &stalled) })
				w := f.scheduler.stream()
				w.trigger(1, "a", nil)
				time.Sleep(time.Second)
				w.wantResult(t, "an answer", 1, true)
				stalled.Store(true)
				w.trigger(2, "a", nil)
				time.Sleep(15 * time.Second)
				w.wantResult(t, "an answer that stalls", 2, s.taken)
				stalled.Store(false)
				w.trigger(3, "a", nil)
				time.Sleep(5 * time.Second)
				w.wantResult(t, "the next occurrence", 3, true)
				f.stop()
			})
		})
	}
}

// startRawAs runs a sidecar and an app that speaks protocol; serve serves its connections.
func startRawAs(t *testing.T, protocol string, serve func(net.Conn)) *fixture {
	t.Helper()
	return startRawApp(t, sidecar.App{ID: "sub", Address: appAddress, Protocol: protocol}, serve)
}

// startRawApp is startRawAs for an app at appAddress.
func startRawApp(t *testing.T, a sidecar.App, serve func(net.Conn)) *fixture {
	t.Helper()
	f := &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
	l := f.listen(appAddress)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	f.run(sidecar.Config{
		Apps:       []sidecar.App{a},
		Schedulers: []string{schedulerAddress},
	})
	synctest.Wait()
	return f
}

func TestStalledHTTP1ResponseFails(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	checkStalls(t, "http", []stall{
		{"first byte", []byte("H"), false},
		{"status line", []byte("HTTP/1.1 20"), false},
		{"header", []byte(ok + "Content-Length: 1"), false},
		{"status line after an interim answer", []byte("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2"), false},
		{"body", []byte(ok + "Content-Length: 100\r\n\r\n"), true},
		{"rest of a body", []byte(ok + "Content-Length: 100\r\n\r\nx"), true},
		{"rest of a body that failed", []byte("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nx"), false},
		{"body that ends with the connection", []byte(ok + "Connection: close\r\n\r\nx"), true},
		{"size of a chunk", []byte(ok + "Transfer-Encoding: chunked\r\n\r\nA"), true},
		{"chunk", []byte(ok + "Transfer-Encoding: chunked\r\n\r\nA\r\nx"), true},
		{"end of a chunk", []byte(ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx"), true},
		{"last chunk", []byte(ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0"), true},
		{"trailers", []byte(ok + "Transfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n0\r\nX-A: "), true},
	}, serveHTTP1)
}

// serveHTTP1 answers each request on conn. If stalled is set, it answers with the beginning of s,
// and then neither reads nor writes.
func serveHTTP1(conn net.Conn, s stall, stalled *atomic.Bool) {
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if stalled.Load() {
			_, _ = conn.Write(s.begins)
			_, _ = io.Copy(io.Discard, conn) // until the sidecar closes it
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
			return
		}
	}
}

// A stalled app is unhealthy, and becomes healthy when it answers on another connection.
func TestStalledProbeFails(t *testing.T) {
	for protocol, s := range map[string]stall{
		"http": {begins: []byte("HTTP/1.1 20")}, "h2c": {}, "grpc": {},
	} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var stalled atomic.Bool
				f := startRawApp(t, checked(protocol), func(conn net.Conn) {
					switch protocol {
					case "http":
						serveHTTP1(conn, s, &stalled)
					case "h2c":
						serveHTTP2(conn, s, &stalled, answerH2C)
					default:
						serveHTTP2(conn, s, &stalled, answerGRPC)
					}
				})
				time.Sleep(time.Second)
				f.wantStreams("it answers", 3, 3)
				stalled.Store(true)
				time.Sleep(20 * time.Second)
				f.wantStreams("it stalls", 0, 3)
				stalled.Store(false)
				time.Sleep(10 * time.Second)
				f.wantStreams("it answers again", 3, 6)
				f.stop()
			})
		})
	}
}

func TestStalledTLSHandshakeFails(t *testing.T) {
	config := selfSigned(t)
	checkStalls(t, "https", []stall{{"handshake", nil, false}}, func(conn net.Conn, _ stall, stalled *atomic.Bool) {
		if stalled.Load() {
			_, _ = io.Copy(io.Discard, conn) // until the sidecar closes it
			return
		}
		secure := tls.Server(conn, config)
		if _, err := http.ReadRequest(bufio.NewReader(secure)); err == nil {
			_, _ = io.WriteString(secure, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		}
	})
}

// The timeout is for the whole body, not for each of its parts.
func TestTricklingBodyIsCutOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startRaw(t, func(conn net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			for err == nil {
				time.Sleep(100 * time.Millisecond)
				_, err = io.WriteString(conn, "x")
			}
		})
		w := f.scheduler.stream()
		for id := range uint64(2) {
			w.trigger(id, "a", nil)
			time.Sleep(2 * time.Second)
			w.wantResult(t, "a body that trickles", id, true)
		}
		f.stop()
	})
}

// frames returns the bytes that write writes.
func frames(write func(f *http2.Framer)) []byte {
	var b bytes.Buffer
	write(http2.NewFramer(&b, nil))
	return b.Bytes()
}

// block returns a header block of fields: alternating names and values.
func block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// serveHTTP2 answers each request on conn with answer. If stalled is set, it answers with the
// beginning of s on the request's stream, and then neither reads nor writes.
func serveHTTP2(conn net.Conn, s stall, stalled *atomic.Bool, answer func(f *http2.Framer, stream uint32) error) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	out := make(writer, 100)
	defer close(out)
	go func() {
		for b := range out {
			_, _ = conn.Write(b)
		}
	}()
	f := http2.NewFramer(out, conn)
	err := f.WriteSettings()
	for err == nil {
		var frame http2.Frame
		if frame, err = f.ReadFrame(); err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = f.WritePing(true, frame.Data)
			}
		default:
			if !frame.Header().Flags.Has(http2.FlagDataEndStream) { // which headers have, too
				continue
			}
			stream := frame.Header().StreamID
			if stalled.Load() {
				_, _ = out.Write(onStream(s.begins, stream))
				_, _ = io.Copy(io.Discard, conn) // until the sidecar closes it
				return
			}
			err = answer(f, stream)
		}
	}
}

// answerH2C answers a request with success.
func answerH2C(f *http2.Framer, stream uint32) error {
	return f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block(":status", "204"), EndHeaders: true, EndStream: true,
	})
}

// answerGRPC answers a request over gRPC with an empty message.
func answerGRPC(f *http2.Framer, stream uint32) error {
	return errors.Join(
		f.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: block(":status", "200", "content-type", "application/grpc"), EndHeaders: true,
		}),
		f.WriteData(stream, false, make([]byte, 5)),
		f.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: block("grpc-status", "0"), EndHeaders: true, EndStream: true,
		}))
}

// A writer passes writes to another goroutine, which may wait for the reader.
type writer chan []byte

func (w writer) Write(b []byte) (int, error) {
	w <- slices.Clone(b)
	return len(b), nil
}

// onStream moves frames of stream 1 to another stream. The last one may be incomplete.
func onStream(frames []byte, stream uint32) []byte {
	frames = slices.Clone(frames)
	for at := 0; at+9 <= len(frames); at += 9 + int(binary.BigEndian.Uint32(frames[at:])>>8) {
		binary.BigEndian.PutUint32(frames[at+5:], stream)
	}
	return frames
}

func TestStalledH2CResponseFails(t *testing.T) {
	header := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(":status", "200"), EndHeaders: true})
	})
	data := frames(func(f *http2.Framer) { _ = f.WriteData(1, false, []byte("body")) })
	trailers := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block("x-a", "b"), EndHeaders: true, EndStream: true})
	})
	open := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(":status", "200")})
	})
	checkStalls(t, "h2c", []stall{
		{"head of the first frame", header[:5], false},
		{"header", header[:9], false},
		{"rest of the header", header[:len(header)-1], false},
		{"header block of several frames", open, false},
		{"body", header, true},
		{"head of a frame of the body", slices.Concat(header, data[:3]), true},
		{"frame of the body", slices.Concat(header, data[:len(data)-2]), true},
		{"end of the body", slices.Concat(header, data), true},
		{"trailers", slices.Concat(header, data, trailers[:len(trailers)-1]), true},
	}, func(conn net.Conn, s stall, stalled *atomic.Bool) {
		serveHTTP2(conn, s, stalled, answerH2C)
	})
}

func TestStalledGRPCResponseFails(t *testing.T) {
	fields := block(":status", "200", "content-type", "application/grpc")
	header := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields, EndHeaders: true})
	})
	open := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields})
	})
	message := frames(func(f *http2.Framer) { _ = f.WriteData(1, false, make([]byte, 5)) })
	part := frames(func(f *http2.Framer) { _ = f.WriteData(1, false, []byte{0, 0, 0, 0, 9, 1}) })
	trailers := frames(func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block("grpc-status", "0"), EndHeaders: true, EndStream: true})
	})
	checkStalls(t, "grpc", []stall{
		{"head of the first frame", header[:5], false},
		{"header", header[:len(header)-1], false},
		{"header block of several frames", open, false},
		{"message", header, false},
		{"frame of the message", slices.Concat(header, message[:10]), false},
		{"rest of the message", slices.Concat(header, part), false},
		{"trailers", slices.Concat(header, message), false},
		{"rest of the trailers", slices.Concat(header, message, trailers[:len(trailers)-1]), false},
	}, func(conn net.Conn, s stall, stalled *atomic.Bool) {
		serveHTTP2(conn, s, stalled, answerGRPC)
	})
}
