package sidecar_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"carillon/internal/sidecar"
)

func TestHTTP1RequestBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		l := f.listen(appAddress)
		t.Cleanup(func() { l.Close() })
		calls := make(chan string, 10)
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					b := make([]byte, 10000)
					n, _ := conn.Read(b)
					if n == 0 {
						return
					}
					for !strings.HasSuffix(string(b[:n]), "\r\n\r\n") && !strings.HasSuffix(string(b[:n]), "}") {
						m, err := conn.Read(b[n:])
						if err != nil {
							break
						}
						n += m
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					calls <- string(b[:n])
				}()
			}
		}()
		f.run(sidecar.Config{
			Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}, AppToken: "tok",
		})
		const headers = "Host: 127.0.0.1:6000\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\n" +
			"Content-Type: application/json\r\nDapr-Api-Token: tok\r\nAccept-Encoding: gzip\r\n\r\n"
		w := f.scheduler.stream()
		w.trigger(1, "a b", mustAny(t, structpb.NewStructValue(&structpb.Struct{
			Fields: map[string]*structpb.Value{"z": structpb.NewNumberValue(1), "a": structpb.NewStringValue("<&>")},
		})))
		if got, want := <-calls, "POST /job/a%20b HTTP/1.1\r\n"+fmt.Sprintf(headers, 17)+`{"a":"<&>","z":1}`; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		w.trigger(2, "b", nil)
		if got, want := <-calls, "POST /job/b HTTP/1.1\r\n"+fmt.Sprintf(headers, 0); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestDataBecomesBody(t *testing.T) {
	const value = "type.googleapis.com/google.protobuf.Value"
	text := func(s string) *anypb.Any { return mustAny(t, structpb.NewStringValue(s)) }
	bubble(t, func(t *testing.T) {
		f, seen := startWithApp(t, sidecar.App{}, ok)
		w := f.scheduler.stream()
		for _, c := range []struct {
			what string
			data *anypb.Any
			want string
		}{
			{"none", nil, ""},
			{"text", text("text"), `"text"`},
			{"empty text", text(""), `""`},
			{"text between spaces", text(" x "), `" x "`},
			{"number", mustAny(t, structpb.NewNumberValue(123)), "123"},
			{"zero", mustAny(t, structpb.NewNumberValue(0)), "0"},
			{"true", mustAny(t, structpb.NewBoolValue(true)), "true"},
			{"false", mustAny(t, structpb.NewBoolValue(false)), "false"},
			{"null", mustAny(t, structpb.NewNullValue()), "null"},
			{"list", mustAny(t, structpb.NewListValue(&structpb.ListValue{})), "[]"},
			{"object", mustAny(t, structpb.NewStructValue(&structpb.Struct{})), "{}"},
			{"a value of no kind", &anypb.Any{TypeUrl: value}, ""},
			{"bytes without a type", &anypb.Any{Value: []byte(" \t\n\v\f\r x y\u00a0\u0085\u2003")}, "x y"},
			{"bytes that are not text", &anypb.Any{Value: []byte{255, 0, 254}}, "\xff\x00\xfe"},
			{"white space", &anypb.Any{Value: []byte(" \n ")}, ""},
			{"an unknown type", &anypb.Any{TypeUrl: "dapr.io/schedule/jobpayload", Value: []byte(`{"a": 1}` + "\n")}, `{"a": 1}`},
			{"StringValue", mustAny(t, wrapperspb.String("hello world")), "hello world"},
			{"BytesValue", mustAny(t, wrapperspb.Bytes([]byte("hello world"))), "hello world"},
			{"a short StringValue", mustAny(t, wrapperspb.String("hi")), "\x02hi"},
			{"Int64Value", mustAny(t, wrapperspb.Int64(123)), "\x08{"},
		} {
			w.trigger(7, "a", c.data)
			w.wantResult(t, c.what, 7, true)
			got := seen()
			if len(got) != 1 || got[0].body != c.want || got[0].length != int64(len(c.want)) {
				t.Errorf("%s: the app got %+v, want the body %q with its length", c.what, got, c.want)
			}
		}
		for what, data := range map[string]*anypb.Any{
			"a Value that does not decode": {TypeUrl: value, Value: []byte{255}},
			"a Value that JSON has not":    {TypeUrl: value, Value: []byte{0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}},
		} {
			w.trigger(8, "a", data)
			w.wantResult(t, what, 8, false)
			if got := seen(); len(got) != 0 {
				t.Errorf("%s: the app got %+v, want no request", what, got)
			}
		}
	})
}

func TestJobNameIsOnePathSegment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, seen := startWithApp(t, sidecar.App{}, ok)
		w := f.scheduler.stream()
		for name, want := range map[string]string{
			"a": "/job/a", "/a": "/job/a", "a b": "/job/a b", "pct%": "/job/pct%", "%41": "/job/%41", "ü😀": "/job/ü😀",
			"a|b\"{}<>^`": "/job/a|b\"{}<>^`", "[];&*:@,=+$!'()": "/job/[];&*:@,=+$!'()", "a?b#c": "/job/a?b#c",
			"a/b": "/job/a/b", "..": "/job/..",
		} {
			w.trigger(1, name, nil)
			w.wantResult(t, name, 1, true)
			if got := seen(); len(got) != 1 || got[0].path != want {
				t.Errorf("%q: the app got %+v, want the path %s", name, got, want)
			}
		}
	})
}

func mustAny(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
