package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// errNoKind says that a google.protobuf.Value holds nothing, not even null.
var errNoKind = errors.New("google.protobuf.Value: none of the oneof fields is set")

// RenderAPIJob is the HTTP API's JSON of a job: proto-JSON, without absent fields.
//
// Data that was given over HTTP comes back as it was given if asGiven, and else wrapped as a google.protobuf.Value in
// an Any. Other data is proto-JSON's form of an Any. Where that has none, because the type is unknown here or not named
// at all, it is {"@type":…,"value":"<base64>"}: Dapr answers 500 then, although most of its SDKs store such data.
func RenderAPIJob(j *runtimev1.Job, asGiven bool) ([]byte, error) {
	var out struct {
		Name          string          `json:"name,omitempty"`
		Schedule      *string         `json:"schedule,omitempty"`
		Repeats       *uint32         `json:"repeats,omitempty"`
		DueTime       *string         `json:"dueTime,omitempty"`
		TTL           *string         `json:"ttl,omitempty"`
		Data          json.RawMessage `json:"data,omitempty"`
		FailurePolicy json.RawMessage `json:"failurePolicy,omitempty"`
	}
	out.Name, out.Schedule, out.Repeats, out.DueTime, out.TTL = j.GetName(), j.Schedule, j.Repeats, j.DueTime, j.Ttl
	var err error
	if out.Data, err = dataJSON(j.GetData(), asGiven); err != nil {
		return nil, err
	}
	if j.GetFailurePolicy() != nil {
		if out.FailurePolicy, err = compactJSON(j.GetFailurePolicy()); err != nil {
			return nil, err
		}
	}
	return encodeJSON(out)
}

func dataJSON(data *anypb.Any, asGiven bool) (json.RawMessage, error) {
	switch {
	case data == nil:
		return nil, nil
	case data.GetTypeUrl() == valueURL:
		value, err := valueJSON(data.GetValue())
		if err != nil || asGiven {
			return value, err
		}
		return encodeJSON(typed{Type: valueURL, Value: value})
	case data.GetTypeUrl() == "" && len(data.GetValue()) == 0:
		return json.RawMessage("{}"), nil
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByURL(data.GetTypeUrl()); err != nil {
		text, err := encodeJSON(base64.StdEncoding.EncodeToString(data.GetValue()))
		if err != nil {
			return nil, err
		}
		return encodeJSON(typed{Type: data.GetTypeUrl(), Value: text})
	}
	return compactJSON(data)
}

type typed struct {
	Type  string          `json:"@type"`
	Value json.RawMessage `json:"value"`
}

// valueJSON renders an encoded google.protobuf.Value. The error is errNoKind if it holds nothing.
func valueJSON(encoded []byte) ([]byte, error) {
	if b, ok := appendPlainValue(make([]byte, 0, len(encoded)), encoded, 0, false); ok {
		return b, nil
	}
	var value structpb.Value
	if err := proto.Unmarshal(encoded, &value); err != nil {
		return nil, fmt.Errorf("%s: %w", valueURL, err)
	}
	if value.GetKind() == nil {
		return nil, errNoKind
	}
	return compactJSON(&value)
}

// compactJSON takes out the spaces that protojson puts in at random.
func compactJSON(m proto.Message) ([]byte, error) {
	b, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(b))
	err = json.Compact(&out, b)
	return out.Bytes(), err
}

// encodeJSON leaves <, > and & as they are: what a user gave is what a user gets.
func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
