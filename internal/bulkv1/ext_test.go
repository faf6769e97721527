package bulkv1_test

import (
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
)

func TestExtRoundTrip(t *testing.T) {
	for _, want := range []*job.Ext{
		nil, {Description: "d"}, {Labels: []job.Label{{Key: "a", Value: "1"}, {Key: "b"}}}, {Labels: []job.Label{{Key: "a"}}, Description: "ü"},
	} {
		x := bulkv1.NewJobExt(want)
		if got, err := x.Ext(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v becomes %+v, %v", want, got, err)
		}
		if got := x.Stored(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v is stored as %+v", want, got)
		}
		if want == nil {
			continue
		}
		value, err := bulkv1.EncodeExt(want)
		if err != nil {
			t.Fatal(err)
		}
		x, err = bulkv1.DecodeExt(value)
		if err != nil || !reflect.DeepEqual(x.Stored(), want) {
			t.Errorf("%+v is decoded as %v, %v", want, x, err)
		}
	}
}

func TestExtThatIsNotKnownIsRefused(t *testing.T) {
	unknown := new(bulkv1.JobExt)
	if err := proto.Unmarshal(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1), unknown); err != nil {
		t.Fatal(err)
	}
	for want, x := range map[string]*bulkv1.JobExt{
		"has a field that this scheduler does not know": unknown,
		`ext.labels: the key "a b" is malformed`:        {Labels: map[string]string{"a b": ""}},
		"ext.description: it has 1025 bytes":            {Description: strings.Repeat("x", job.MaxDescription+1)},
	} {
		e, err := x.Ext()
		if e != nil || status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, %v; want InvalidArgument with %q", x, e, err, want)
		}
	}
}

func TestUndecodableExtIsAnError(t *testing.T) {
	if x, err := bulkv1.DecodeExt("\xff"); status.Code(err) != codes.Internal {
		t.Errorf("it is decoded as %v, %v; want Internal", x, err)
	}
}

// FuzzExtIsRefusedOrKept holds that a message is refused for a reason, or comes back as it was.
func FuzzExtIsRefusedOrKept(f *testing.F) {
	f.Add("team", "billing", "invoices", []byte(nil))
	f.Add("a b", "", "", []byte("\x98\x06\x01"))
	f.Fuzz(func(t *testing.T, key, value, description string, more []byte) {
		encoded, err := proto.Marshal(&bulkv1.JobExt{Labels: map[string]string{key: value}, Description: description})
		x := new(bulkv1.JobExt)
		if err != nil || proto.Unmarshal(append(encoded, more...), x) != nil {
			return
		}
		e, err := x.Ext()
		if err != nil {
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v: %v, want InvalidArgument", x, err)
			}
			return
		}
		if again := bulkv1.NewJobExt(e); !proto.Equal(again, x) && e != nil {
			t.Errorf("%v comes back as %v", x, again)
		}
	})
}
