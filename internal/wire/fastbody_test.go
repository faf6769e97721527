package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// bodies are of forms that are read in one pass, or nearly so.
func bodies() []string {
	all := []string{
		`{"dueTime":"1s"}`, " {\t\"dueTime\" :\r\n\"1s\" , \"ttl\":\"2s\"} ", `{"schedule":"@daily","repeats":3,"overwrite":true}`,
		`{"schedule":"@daily","overwrite":false}`, `{"overwrite":true}`, `{"overwrite":false}`, `{"overwrite":truee}`,
		`{"dueTime":"1s","dueTime":"2s"}`, `{"dueTime":null}`, `{"dueTime":""}`, `{"dueTime":"1s"}x`, `{"dueTime":"1s"},`,
		`{"dueTime":"1s",}`, `{,"dueTime":"1s"}`, `{"dueTime" "1s"}`, `{"dueTime":"1s"`, `{"dueTime":"1s"}` + "\x00", `{"dueTime":"` + "\xff" + `"}`,
		`{"due_time":"1s"}`, `{"DueTime":"1s"}`, `{"name":"x","dueTime":"1s"}`, `{"job":{"name":"x","dueTime":"1s"}}`, `{"name":"x"}`, `{"name":"","dueTime":"1s"}`,
		`{"name":"x","name":"y","dueTime":"1s"}`, `{"job":{"name":"x"}}`, `{"x":1,"dueTime":"1s"}`, `{"dueTime":"1\u0073"}`,
		`{"dueTime":"1s","ext":{"labels":{"a":"b"}}}`, `{"ext":{"labels":{"a":"b"}},"dueTime":"1s","data":[1]}`, `{"job":{"dueTime":"1s","ext":{"description":"\u0041"}}}`,
		`{"dueTime":"1s","ext":null}`, `{"dueTime":"1s","ext":{}}`, `{"dueTime":"1s","ext":nul}`, `{"dueTime":"1s","ext":{"labels":{"a":"b"}`, `{"dueTime":"1s","ext":"` + "\xff" + `"}`,
		`{"ext":{"description":"x"}}`, `{"job":{"ext":{"description":"x"}}}`, `{"dueTime":"1s","\u0065xt":{"description":"x"}}`,
		`{"job":{"dueTime":"1s"}}`, `{"job":{"dueTime":"1s"},"x":1}`, `{"x":1,"job":{"dueTime":"1s"}}`, `{"job":{"dueTime":"1s"},"job":{}}`,
		`{"job":{"dueTime":"1s"},"ttl":"1s"}`, `{"ttl":"1s","job":{"dueTime":"1s"}}`, `{"overwrite":false,"job":{"dueTime":"1s"}}`,
		`{"job":{"overwrite":false}}`, `{"job":{"job":{"dueTime":"1s"}}}`, `{"job":{"dueTime":"1s"}`, `{"failurePolicy":{"drop":{}},"dueTime":"1s"}`,
		`{"repeats":4294967295}`, `{"repeats":4294967296}`, `{"repeats":-1}`, `{"repeats":1.0}`, `{"repeats":1e1}`, `{"repeats":"1"}`, `{"repeats":01}`, `{"repeats":0}`,
	}
	for _, data := range []string{
		`null`, `true`, `false`, `nul`, `nullx`, `0`, `-0`, `00`, `1`, `-1`, `-`, `1.`, `.5`, `1.5`, `1e`, `1e5`, `1E+5`, `1e-5`, `1e-7`, `1e20`, `1e21`,
		`1e400`, `0x1`, `1_0`, `Infinity`, `NaN`, `123456789012345678`, `0.1`, `1 `, `+1`, `1a`,
		`""`, `"text"`, `"ü😀"`, `"\""`, `"\n"`, `"\u0000"`, `"\ud800"`, "\"\x01\"", "\"\x7f\u2028\ufffd\"", `"`, `"<&>"`,
		`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1,"a",null,[true,{}]]`, `[1 2]`, `[`, `]`,
		`{}`, `{ }`, `{"b":1,"a":{"c":[1,{"d":null}]}}`, `{"a":1,"a":2}`, `{"":1}`, `{"a"}`, `{"a":}`, `{1:2}`, `{"a":1,}`, `{"a":1 "b":2}`,
		`{"ü":"` + strings.Repeat("x", 200) + `","a":"` + strings.Repeat("y", 20_000) + `"}`, `{"@type":"x","b":[1,null]}`,
		strings.Repeat("[", 31) + strings.Repeat("]", 31), strings.Repeat("[", 33) + strings.Repeat("]", 33),
		strings.Repeat("[", 99) + strings.Repeat("]", 99), strings.Repeat(`{"a":`, 101) + "1.0" + strings.Repeat("}", 101), `{"b":1,"\u0061":{"B":"\/","A":[1.0,1e400]}}`,
		`{"b":1,"\u0061":{"B":"\/\n","A":[1.0,10000000000000000001,1e-400]},"":"\ud83d\ude00\u000b","\n":0}`, `[{"b":1,"a":"\\"}]`,
		strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31), strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40),
		"[" + strings.Repeat(`"0123456789",`, 1000) + "1]", many(64), many(65),
	} {
		all = append(all, `{"data":`+data+`}`, `{"dueTime":"1s","data": `+data+` ,"ttl":"1s"}`, `{"job":{"data":`+data+`}}`)
	}
	return all
}

// many is an object of that many fields.
func many(fields int) string {
	object := make(map[string]int, fields)
	for i := range fields {
		object[strings.Repeat("k", i)] = i
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // there is nothing that could fail
	}
	return string(text)
}

// wantAsProtoJSON holds that a body means what proto-JSON says, and that its data becomes the body
// that proto-JSON makes.
func wantAsProtoJSON(t *testing.T, body []byte) {
	t.Helper()
	if len(body) == 0 {
		return // proto-JSON has no word for what is an empty job
	}
	got, b, err := wire.ParseAPIBody(body, nil)
	inner := body
	if b.Form == wire.WrappedBody {
		var outer struct{ Job json.RawMessage }
		if err := json.Unmarshal(body, &outer); err != nil {
			t.Skip(err) // it is not about these
		}
		inner = outer.Job
	}
	var flat internalsv1.JobHTTPRequest
	wantErr := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(inner, &flat)
	if invalid, ok := errors.AsType[*job.InvalidError](err); ok && strings.HasPrefix(invalid.Field, "ext") {
		return // only Dapr ignores it
	}
	if err != nil || wantErr != nil || b.Form == 0 {
		if err == nil || wantErr != nil && b.Form != 0 {
			t.Errorf("ParseAPIBody(%.80q) = %v, and proto-JSON says %v", body, err, wantErr)
		}
		return
	}
	want := &runtimev1.ScheduleJobRequest{Overwrite: flat.GetOverwrite(), Job: &runtimev1.Job{
		Name: flat.GetName(), Schedule: flat.Schedule, Repeats: flat.Repeats, DueTime: flat.DueTime, Ttl: flat.Ttl,
		FailurePolicy: flat.GetFailurePolicy(),
	}}
	data := got.GetJob().GetData()
	got.Job.Data = nil
	if !proto.Equal(want, got) { // go-cmp takes hours where values are deep within each other
		t.Errorf("ParseAPIBody(%.80q) = %.200v, want %.200v", body, got, want)
	}
	if flat.GetData() == nil || data == nil {
		if (flat.GetData() == nil) != (data == nil) {
			t.Errorf("ParseAPIBody(%.80q) has the data %v, want %v", body, data, flat.GetData())
		}
		return
	}
	// As readers that do not know the spellings read it.
	var value structpb.Value
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data.GetValue(), &value); err != nil {
		t.Fatalf("ParseAPIBody(%.80q) has data that does not decode: %v", body, err)
	}
	if !proto.Equal(flat.GetData(), &value) {
		t.Errorf("ParseAPIBody(%.80q) has the data %.200v, want %.200v", body, &value, flat.GetData())
	}
	if b.Loss != 0 {
		wantBody(t, data.GetValue())
		return
	}
	var members map[string]json.RawMessage
	var asGiven bytes.Buffer
	if err := errors.Join(json.Unmarshal(inner, &members), json.Compact(&asGiven, members["data"])); err != nil {
		t.Fatal(err)
	}
	if got, err := wire.AppBody(&job.Data{TypeURL: valueURL, Value: data.GetValue()}); err != nil || !bytes.Equal(got, asGiven.Bytes()) {
		t.Errorf("the data of %.80q becomes %.80q, %v, want %.80q", body, got, err, asGiven.Bytes())
	}
}

// wantBody holds that AppBody makes of an encoded google.protobuf.Value what proto-JSON makes of
// it.
func wantBody(t *testing.T, encoded []byte) {
	t.Helper()
	got, err := wire.AppBody(&job.Data{TypeURL: valueURL, Value: encoded})
	var value structpb.Value
	wantErr := proto.Unmarshal(encoded, &value)
	if wantErr == nil && value.GetKind() == nil {
		if err != nil || got != nil {
			t.Errorf("AppBody(%q) = %q, %v, want no body", encoded, got, err)
		}
		return
	}
	var want bytes.Buffer
	if wantErr == nil {
		var spaced []byte
		if spaced, wantErr = protojson.Marshal(&value); wantErr == nil {
			wantErr = json.Compact(&want, spaced)
		}
	}
	if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want.Bytes()) {
		t.Errorf("AppBody(%.80q) = %.80q, %v, want %.80q, %v", encoded, got, err, want.Bytes(), wantErr)
	}
}

func TestBodiesAreParsedAsByProtoJSON(t *testing.T) {
	for _, body := range bodies() {
		wantAsProtoJSON(t, []byte(body))
	}
}

func TestValuesAreRenderedAsByProtoJSON(t *testing.T) {
	for _, encoded := range []string{
		"", "\x08\x00", "\x08\x01", "\x08\x80\x00", "\x08", "\x20\x00", "\x20\x01", "\x20\x02", "\x11", "\x11\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x11\x00\x00\x00\x00\x00\x00\xf8\x7f", "\x11\x00\x00\x00\x00\x00\x00\xf0\x7f", "\x11\x00\x00\x00\x00\x00\x00\x00\x80",
		"\x1a\x00", "\x1a\x01a", "\x1a\x02a", "\x1a\x01a\x1a\x01b", "\x1a\x01\xff", "\x1a\x04\"\\\n\t", "\x1a\x01\x01", "\x1a\x81\x00a", "\x1a\xff\xff\xff\xff\x0f",
		"\x32\x00", "\x32\x02\x0a\x00", "\x32\x04\x0a\x02\x08\x00", "\x32\x03\x0a\x02\x08", "\x32\x01\x0a", "\x32\x02\x12\x00", "\x32\x00\x32\x04\x0a\x02\x08\x00",
		"\x2a\x00", "\x2a\x09\x0a\x07\x0a\x01a\x12\x02\x08\x00", "\x2a\x09\x0a\x07\x12\x02\x08\x00\x0a\x01a", "\x2a\x02\x0a\x00", "\x2a\x05\x0a\x03\x0a\x01a",
		"\x2a\x12\x0a\x07\x0a\x01a\x12\x02\x08\x00\x0a\x07\x0a\x01a\x12\x02\x20\x01", "\x2a\x07\x0a\x05\x0a\x01a\x12\x00", "\x38\x00", "\x08\x00\x1a\x01a", "\x28",
	} {
		wantBody(t, []byte(encoded))
	}
}

func TestSimpleBodyTakesFewAllocations(t *testing.T) {
	body := []byte(`{"dueTime":"1s","data":{"order":12345,"customer":{"name":"Ada","tags":["a","b"]},"note":"some text"}}`)
	var data job.Data
	read := testing.AllocsPerRun(100, func() {
		r, _, err := wire.ParseAPIBody(body, nil)
		if err != nil {
			t.Fatal(err)
		}
		data = job.Data{TypeURL: r.GetJob().GetData().GetTypeUrl(), Value: r.GetJob().GetData().GetValue()}
	})
	rendered := testing.AllocsPerRun(100, func() {
		if _, err := wire.AppBody(&data); err != nil {
			t.Fatal(err)
		}
	})
	if read > 25 || rendered > 12 { // 96 and 78 by reflection
		t.Errorf("it takes %v and %v allocations, want no more than 25 and 12", read, rendered)
	}
}

func FuzzBodiesAreParsedAsByProtoJSON(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		wantAsProtoJSON(t, body)
		// It may remember how it was written.
		if !bytes.Contains(body, []byte("\x82\x7d")) && !bytes.Contains(body, []byte("\x88\x7d")) {
			wantBody(t, body)
		}
	})
}

func BenchmarkSimpleBody(b *testing.B) {
	body := []byte(`{"dueTime":"1s","data":{"order":12345,"customer":{"name":"Ada","tags":["a","b"]},"note":"some text"}}`)
	b.ReportAllocs()
	for b.Loop() {
		r, _, err := wire.ParseAPIBody(body, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := wire.AppBody(&job.Data{TypeURL: valueURL, Value: r.GetJob().GetData().GetValue()}); err != nil {
			b.Fatal(err)
		}
	}
}
