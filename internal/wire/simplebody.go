package wire

import (
	"errors"
	"strconv"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/jsonvalue"
)

// errNotSimple is the error of a body that parseSimpleBody does not handle.
var errNotSimple = errors.New("the body is not of an ordinary form")

// parseSimpleBody is [ParseAPIBody] without proto-JSON, which takes many times as long. It returns
// errNotSimple for a body that it does not handle. The caller has reserved another len(body) bytes.
func parseSimpleBody(body []byte, reserve jsonvalue.Reserve) (r *runtimev1.ScheduleJobRequest, b Body, err error) {
	p := jsonvalue.NewParser(body, reserve)
	defer p.Free()
	r = &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{}}
	j := r.GetJob()
	var ext []byte
	var seen [8]bool
	once := func(i int) bool {
		again := seen[i]
		seen[i] = true
		return !again
	}
	text := func(to **string) bool {
		s, _, ok := p.Text()
		*to = new(string(s))
		return ok
	}
	field := func(key []byte) (ok bool) {
		switch string(key) {
		case "schedule":
			return once(0) && text(&j.Schedule)
		case "dueTime":
			return once(1) && text(&j.DueTime)
		case "ttl":
			return once(2) && text(&j.Ttl)
		case "repeats":
			s, ok := p.Number()
			n, err := strconv.ParseUint(string(s), 10, 32)
			j.Repeats = new(uint32(n))
			return once(3) && ok && err == nil
		case "overwrite":
			r.Overwrite, ok = p.Bool()
			return once(4) && ok
		case "data":
			var value []byte
			value, ok = p.Data()
			j.Data = &anypb.Any{TypeUrl: valueURL, Value: value}
			return once(5) && ok
		case "name": // only in a batch
			s, _, ok := p.Text()
			j.Name = string(s)
			return once(6) && ok
		case "ext":
			ext, ok = p.Value()
			return once(7) && ok
		default:
			return false
		}
	}
	b.Form = FlatBody
	ok := p.Fields(func(key, _ []byte) bool {
		if string(key) == "job" && seen == [8]bool{} {
			b.Form = WrappedBody
			return p.Fields(func(key, _ []byte) bool { return field(key) })
		}
		return b.Form == FlatBody && field(key)
	})
	some := r.GetOverwrite() || j.Schedule != nil || j.DueTime != nil || j.Ttl != nil || j.Repeats != nil || j.Data != nil
	switch {
	case p.Err() != nil:
		return nil, Body{}, p.Err()
	case !ok || !some || !p.AtEnd():
		return nil, Body{}, errNotSimple
	}
	b.Loss = p.Loss()
	if ext != nil {
		if b.Ext, err = parseExt(ext); err != nil {
			return nil, Body{}, err
		}
	}
	return r, b, nil
}
