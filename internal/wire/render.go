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

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
)

// errNoKind is the error of a google.protobuf.Value without a value, not even null.
var errNoKind = errors.New("google.protobuf.Value: none of the oneof fields is set")

// RenderAPIJob returns the JSON of a job in the HTTP API: proto-JSON, without absent fields, and the
// ext, unless that is nil.
//
// Data that was given over HTTP is rendered as it was given if asGiven is set, and otherwise as an
// Any of a google.protobuf.Value. Other data is rendered as an Any by proto-JSON. If its type is
// unknown or absent, it is {"@type":…,"value":"<base64>"}; Dapr answers 500 then, although most of
// its SDKs store such data.
func RenderAPIJob(j *runtimev1.Job, ext *job.Ext, asGiven bool) ([]byte, error) {
	var out struct {
		Name          string          `json:"name,omitempty"`
		Schedule      *string         `json:"schedule,omitempty"`
		Repeats       *uint32         `json:"repeats,omitempty"`
		DueTime       *string         `json:"dueTime,omitempty"`
		TTL           *string         `json:"ttl,omitempty"`
		Data          json.RawMessage `json:"data,omitempty"`
		FailurePolicy json.RawMessage `json:"failurePolicy,omitempty"`
		Ext           *apiExt         `json:"ext,omitempty"`
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
	if ext != nil {
		out.Ext = &apiExt{Labels: ext.LabelMap(), Description: ext.Description}
	}
	return encodeJSON(out)
}

// AppBody returns the body of an HTTP call to an app: JSON if the data was given as JSON, and
// otherwise its bytes without surrounding white space (sidecar specification §3.2).
func AppBody(d *job.Data) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	if d.TypeURL != valueURL {
		return bytes.TrimSpace(d.Value), nil // includes Unicode white space, as in Dapr
	}
	value, err := valueJSON(d.Value)
	if errors.Is(err, errNoKind) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("render data as JSON: %w", err)
	}
	return value, nil
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
		return encodeJSON(typedValue{Type: valueURL, Value: value})
	case data.GetTypeUrl() == "" && len(data.GetValue()) == 0:
		return json.RawMessage("{}"), nil
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByURL(data.GetTypeUrl()); err != nil {
		text, err := encodeJSON(base64.StdEncoding.EncodeToString(data.GetValue()))
		if err != nil {
			return nil, err
		}
		return encodeJSON(typedValue{Type: data.GetTypeUrl(), Value: text})
	}
	return compactJSON(data)
}

// A typedValue is the JSON of an Any.
type typedValue struct {
	Type  string          `json:"@type"`
	Value json.RawMessage `json:"value"`
}

// valueJSON renders an encoded google.protobuf.Value. It returns errNoKind for one without a value.
func valueJSON(encoded []byte) ([]byte, error) {
	if b, ok := jsonvalue.Append(make([]byte, 0, len(encoded)), encoded); ok {
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

// compactJSON renders m without the spaces that protojson inserts at random.
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

// encodeJSON renders v without escaping <, > and &, so that text is returned as it was given.
func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
