package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
	"carillon/internal/wire"
)

// post returns the data that the body of a job with the data has for a scheduler.
func post(t *testing.T, data string) (*anypb.Any, jsonvalue.Loss) {
	t.Helper()
	r, b, err := wire.ParseAPIBody([]byte(`{"dueTime":"1s","data":`+data+`}`), nil)
	if err != nil {
		t.Fatalf("data %.200s: %v", data, err)
	}
	return r.GetJob().GetData(), b.Loss
}

// asDapr is the JSON that Dapr's own programs make of data.
func asDapr(t *testing.T, data *anypb.Any) string {
	t.Helper()
	var v structpb.Value
	if err := data.UnmarshalTo(&v); err != nil {
		t.Fatal(err)
	}
	b, err := protojson.Marshal(&v)
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, string(b))
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return b.String()
}

// wantText holds that data comes back as text, in both dialects and to an app.
func wantText(t *testing.T, data *anypb.Any, text string) {
	t.Helper()
	if got, err := wire.AppBody(&job.Data{TypeURL: data.GetTypeUrl(), Value: data.GetValue()}); err != nil || string(got) != text {
		t.Errorf("an app gets %.200q, %v, want %.200q", got, err, text)
	}
	for asGiven, want := range map[bool]string{
		true: `{"name":"a","data":` + text + `}`, false: `{"name":"a","data":{"@type":"` + valueURL + `","value":` + text + `}}`,
	} {
		if got, err := wire.RenderAPIJob(&runtimev1.Job{Name: "a", Data: data}, nil, asGiven); err != nil || string(got) != want {
			t.Errorf("RenderAPIJob(%v) = %.200s, %v, want %.200s", asGiven, got, err, want)
		}
	}
}

func TestDataKeepsItsText(t *testing.T) {
	for given, dapr := range map[string]string{
		`12345678901234567890`:               `12345678901234567000`,
		`9007199254740993`:                   `9007199254740992`,
		`1.0`:                                `1`,
		`[1.10,1e2,-0,0.0,1E+5,1e-400,1e21]`: `[1.1,100,-0,0,100000,0,1e+21]`,
		`{"b":1,"a":{"d":2,"c":[3]}}`:        `{"a":{"c":[3],"d":2},"b":1}`,
		`["\b\f\u001f",-1e-7,1e-10,5e-324,1.7976931348623157e+308,1e+21,0.000001]`: `["\b\f\u001f",-1e-7,1e-10,5e-324,1.7976931348623157e+308,1e+21,0.000001]`,
		`[{"b":1,"a":1}]`: `[{"a":1,"b":1}]`,
		`{"@type":"type.googleapis.com/google.type.Expr","expression":"x","a":null}`: `{"@type":"type.googleapis.com/google.type.Expr","a":null,"expression":"x"}`,
		`{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"x"}`:    `{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"x"}`,
		`"\u00e9\/\ud83d\ude00\u000b\n"`:                                             `"é/😀\u000b\n"`,
		`{"\u0062":1,"a\/":"<&>"}`:                                                   `{"a/":"<&>","b":1}`,
		`{"":{"":1.0}}`:                                                              `{"":{"":1}}`,
		`{"2000":1,"10":2.50}`:                                                       `{"10":2.5,"2000":1}`,
		`null`:                                                                       `null`,
	} {
		data, loss := post(t, given)
		if loss != 0 {
			t.Errorf("%s: %s", given, loss)
		}
		wantText(t, data, given)
		if got := asDapr(t, data); got != dapr {
			t.Errorf("Dapr's programs see %s, want %s", got, dapr)
		}
	}
}

// A writer writes random JSON.
type writer struct {
	rand *rand.Rand
	text strings.Builder
	keys int // so that none is there twice
}

func (w *writer) pick(of ...string) { w.text.WriteString(of[w.rand.IntN(len(of))]) }

func (w *writer) number() {
	w.pick("", "-")
	w.pick("0", "7", "9007199254740993", strconv.FormatUint(w.rand.Uint64(), 10), "123456789012345678901234567890")
	w.pick("", ".0", ".10", ".5", ".000000000000000000001")
	w.pick("", "", "", "e0", "E+2", "e-7", "e-300")
}

func (w *writer) string(prefix string) {
	w.text.WriteString(`"` + prefix)
	for range w.rand.IntN(5) {
		w.pick("a", "é", "😀", `\n`, `\/`, `\u00e9`, `\u0000`, `\"`, `\\`, "<", "\u2028", `\ud83d\uDE00`, "\x7f", " ", `\u005c`)
	}
	w.text.WriteString(`"`)
}

func (w *writer) value(depth int) {
	kind := w.rand.IntN(8)
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		w.pick("null", "true", "false")
	case 1:
		w.string("")
	case 2, 3:
		w.number()
	case 4, 5:
		w.text.WriteString("[")
		for i := range w.rand.IntN(4) {
			if i > 0 {
				w.text.WriteString(",")
			}
			w.value(depth - 1)
		}
		w.text.WriteString("]")
	default:
		w.text.WriteString("{")
		fields := w.rand.IntN(4)
		if w.rand.IntN(50) == 0 {
			fields, depth = 90, 1
		}
		for i := range fields {
			if i > 0 {
				w.text.WriteString(",")
			}
			w.keys++
			w.string(fmt.Sprint(w.rand.IntN(10), w.keys))
			w.text.WriteString(":")
			w.value(depth - 1)
		}
		w.text.WriteString("}")
	}
}

func TestRandomDataKeepsItsText(t *testing.T) {
	for seed := range uint64(2000) {
		w := &writer{rand: rand.New(rand.NewPCG(seed, 0))}
		w.value(int(seed % 5))
		text := w.text.String()
		var v structpb.Value
		if err := protojson.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		want, err := protojson.Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		data, loss := post(t, text)
		if loss != 0 {
			t.Errorf("seed %d: %s", seed, loss)
		}
		wantText(t, data, text)
		if got := asDapr(t, data); got != compact(t, string(want)) {
			t.Errorf("seed %d: Dapr's programs see %s, want %s", seed, got, want)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, text)
		}
	}
}

func TestWhiteSpaceBetweenTokensIsRemoved(t *testing.T) {
	data, _ := post(t, " { \"b\" : [ 1.0 ,\t2 ] ,\r\n \"a\" : \" \\u0020\" } ")
	wantText(t, data, `{"b":[1.0,2],"a":" \u0020"}`)
}

func TestDataWithoutSpellingsIsNoLargerThanInDapr(t *testing.T) {
	for _, text := range []string{`{"a":1,"b":[true,null,"x",1.5]}`, `"text\n"`, `7`} {
		data, _ := post(t, text)
		var v structpb.Value
		if err := protojson.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got := len(data.GetValue()); got != proto.Size(&v) {
			t.Errorf("%s takes %d bytes, want %d", text, got, proto.Size(&v))
		}
	}
	// The order costs three bytes in all, and a number that is written otherwise its text and
	// three.
	for text, more := range map[string]int{`{"b":{"d":1,"c":1},"a":1}`: 3, `{"a":[1.0,2.0]}`: 12} {
		data, _ := post(t, text)
		var v structpb.Value
		if err := protojson.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if got, want := len(data.GetValue()), proto.Size(&v)+more; got != want {
			t.Errorf("%s takes %d bytes, want %d", text, got, want)
		}
	}
}

func TestTooLargeDataHasNoSpellings(t *testing.T) {
	numbers := "[" + strings.Repeat("1.0,", 150_000) + "1]" // 1.65 MB, and 0.9 MB of spellings
	data, loss := post(t, numbers)
	wantText(t, data, strings.ReplaceAll(numbers, ".0", ""))
	if loss != jsonvalue.TooLargeToKeep || len(data.GetValue()) > 1<<21 {
		t.Errorf("it takes %d bytes, loss %q; want what Dapr takes, and a loss", len(data.GetValue()), loss)
	}
	texts := `{"b":"` + strings.Repeat("x", 1_900_000) + `\/","a":7}` // only how it is escaped is lost
	data, loss = post(t, texts)
	wantText(t, data, strings.ReplaceAll(texts, `\/`, "/"))
	if loss != 0 {
		t.Errorf("a text: loss %q, want none", loss)
	}
	large := `{"b":"` + strings.Repeat("x", 1_900_000) + `","a":9007199254740993}`
	data, loss = post(t, large)
	wantText(t, data, large)
	if loss != 0 {
		t.Errorf("a large text and a number: loss %q, want none", loss)
	}
	for _, same := range []string{
		strings.Repeat("[", 101) + strings.Repeat("]", 101),
		strings.Repeat(`{"a":`, 101) + `{"a":[1,"x",{"b":true}],"b":{"a":null},"c":-1.5}` + strings.Repeat("}", 101),
	} {
		data, loss = post(t, same)
		wantText(t, data, same)
		if loss != 0 {
			t.Errorf("%s: loss %q, want none", same, loss)
		}
	}
	for _, lost := range []string{
		strings.Repeat("[", 101) + "1.0" + strings.Repeat("]", 101),
		strings.Repeat(`{"a":`, 101) + `{"c":{"x":[{"d":1}]},"b":2}` + strings.Repeat("}", 101),
		strings.Repeat("[", 101) + strings.Repeat("]", 101)[1:] + ",9007199254740993]",
	} {
		if _, loss = post(t, lost); loss != jsonvalue.TooDeepToKeep {
			t.Errorf("%s: loss %q, want that it is too deep", lost, loss)
		}
	}
	deep := strings.Repeat("[", 100) + "1.0" + strings.Repeat("]", 100)
	data, loss = post(t, deep)
	wantText(t, data, strings.ReplaceAll(deep, ".0", ""))
	if loss != jsonvalue.TooDeepToKeep {
		t.Errorf("deep data: loss %q, want one", loss)
	}
}

// TestSpellingsOfOtherValuesAreIgnored: a program that reads data, changes it and schedules it
// again keeps what it does not know.
func TestSpellingsOfOtherValuesAreIgnored(t *testing.T) {
	data, _ := post(t, `{"b":1.0,"a":"\/"}`)
	var v structpb.Value
	if err := data.UnmarshalTo(&v); err != nil {
		t.Fatal(err)
	}
	v.GetStructValue().GetFields()["b"].Kind = &structpb.Value_NumberValue{NumberValue: 2}
	changed, err := anypb.New(&v)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, changed, `{"a":"/","b":2}`)

	const spelling, order = "\x82\x7d", "\x88\x7d\x01"
	one, text := "\x11\x00\x00\x00\x00\x00\x00\xf0\x3f", "\x1a\x01a"
	const key = "\x92\x7d"
	entry := func(value string) string {
		value = "\x0a\x01a\x12" + string(rune(len(value))) + value
		return "\x2a" + string(rune(2+len(value))) + "\x0a" + string(rune(len(value))) + value
	}
	for encoded, want := range map[string]string{
		one + spelling + "\x031.0":                        `1.0`,
		one + spelling + "\x032.0":                        `1`,
		one + spelling + "\x011":                          `1`,
		one + spelling + "\x04 1.0":                       `1`,
		one + spelling + "\x04[1]\x20":                    `1`,
		one + spelling + "\x051.0,x":                      `1`,
		one + spelling + "\x031.0" + spelling + "\x031.0": `1`,
		one + order:                                 `1`,
		text + spelling + "\x08\"\\u0061\"":         `"\u0061"`,
		text + spelling + "\x08\"\\u0062\"":         `"a"`,
		text + spelling + "\x03\"a\"":               `"a"`,
		text + spelling + "\x07\"\\u0061":           `"a"`,
		entry(key + "\x08\"\\u0061\"\x08\x00"):      `{"\u0061":null}`,
		entry(key + "\x08\"\\u0062\"\x08\x00"):      `{"a":null}`,
		entry(key + "\x03\"a\"\x08\x00"):            `{"a":null}`,
		entry(key + "\x09 \"\\u0061\"\x08\x00"):     `{"a":null}`,
		entry("\x08\x00" + key + "\x08\"\\u0061\""): `{"a":null}`,
		entry("\x08\x00" + order):                   `{"a":null}`,
	} {
		wantText(t, &anypb.Any{TypeUrl: valueURL, Value: []byte(encoded)}, want)
	}
}
