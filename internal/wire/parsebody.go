package wire

import (
	"errors"
	"fmt"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/jsonvalue"
)

// deepData is a depth from which on data may be nested too deeply for protobuf: it decodes 10,000
// nested messages, and a value may consist of three.
const deepData = 3000

// ParseAPIBody parses the body of a POST of the HTTP API into the request of the gRPC API. It
// accepts what proto-JSON accepts, and ignores unknown fields (sidecar specification §1.3). The
// name of the job is that of the body, which only a batch may have: within an object "job" or
// beside it. The data remembers how it was written, so that it is returned and delivered unchanged,
// except for white space.
//
// The ext of the job, which Dapr lacks, is read strictly. An error in it is a [*job.InvalidError].
//
// Parsing can take hundreds of times the size of the body in memory, which it reserves. The error
// is [jsonvalue.ErrNoMemory] if it cannot, and [jsonvalue.ErrTooLarge] if no scheduler would store
// the data.
func ParseAPIBody(body []byte, reserve jsonvalue.Reserve) (*runtimev1.ScheduleJobRequest, Body, error) {
	if !reserve.Take(len(body)) {
		return nil, Body{}, jsonvalue.ErrNoMemory
	}
	r, b, err := parseSimpleBody(body, reserve)
	if !errors.Is(err, errNotSimple) {
		return r, b, err
	}
	cost, depth, err := jsonvalue.ProtoJSONCost(body)
	switch {
	case err != nil:
		return nil, Body{}, err
	case !reserve.Take(cost):
		return nil, Body{}, jsonvalue.ErrNoMemory
	}
	b.Form = FlatBody
	var flat internalsv1.JobHTTPRequest
	fields := body
	if len(body) > 0 {
		if err := unmarshalJSON(body, &flat); err != nil {
			return nil, Body{}, err
		}
		name := flat.GetName()
		if flat.Name = ""; proto.Size(&flat) == 0 {
			wrapped, f, err := unwrap(body)
			if err != nil {
				return nil, Body{}, err
			}
			if b.Form = f; f == WrappedBody {
				fields = wrapped
				if err := unmarshalJSON(wrapped, &flat); err != nil {
					return nil, Body{}, err
				}
			}
		}
		if flat.GetName() == "" {
			flat.Name = name
		}
		if b.Ext, err = findExt(body, fields, b.Form); err != nil {
			return nil, Body{}, err
		}
	}
	r = &runtimev1.ScheduleJobRequest{
		Job: &runtimev1.Job{
			Name:          flat.GetName(),
			Schedule:      flat.Schedule,
			Repeats:       flat.Repeats,
			DueTime:       flat.DueTime,
			Ttl:           flat.Ttl,
			FailurePolicy: flat.GetFailurePolicy(),
		},
		Overwrite: flat.GetOverwrite(),
	}
	if flat.GetData() != nil {
		r.Job.Data = &anypb.Any{TypeUrl: valueURL}
		text := jsonvalue.Member(fields, "data")
		p := jsonvalue.NewAcceptedParser(text, reserve, len(body))
		defer p.Free()
		value, ok := p.Data()
		if p.Err() != nil {
			return nil, Body{}, p.Err()
		}
		b.Loss = p.Loss()
		if !ok {
			if jsonvalue.LosesSpelling(text) {
				b.Loss = jsonvalue.TooDeepToKeep
			}
			if value, err = proto.Marshal(flat.GetData()); err != nil {
				return nil, Body{}, err
			}
			// JSON may be nested more deeply than protobuf decodes. Such data could never be
			// delivered.
			if depth > deepData {
				if err := proto.Unmarshal(value, new(structpb.Value)); err != nil {
					return nil, Body{}, fmt.Errorf("data: %w", err)
				}
			}
		}
		r.Job.Data.Value = value
	}
	return r, b, nil
}

func unmarshalJSON(b []byte, m proto.Message) error {
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// unwrap returns the object "job" at the top level of a body that has no fields of the flat form.
// Proto-JSON has accepted the body, so that an error is a duplicate field, or a difference between
// two parsers.
func unwrap(body []byte) (wrapped []byte, form BodyForm, err error) {
	form = FlatBody // {} is an empty message
	jsonvalue.Members(body, func(key, value []byte) {
		switch isJob := string(key) == "job"; {
		case isJob && wrapped != nil:
			err = errors.New(`duplicate field "job"`)
		case isJob && value[0] == '{':
			wrapped, form = value, WrappedBody
		case form == FlatBody:
			form = NeitherBody
		}
	})
	return wrapped, form, err
}
