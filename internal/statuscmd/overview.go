package statuscmd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "carillon/internal/managementv1"
)

// shownApps is how many apps an overview has.
const shownApps = 5

// An overview is what the command shows.
type overview struct {
	attention *pb.Attention
	forecast  *pb.Forecast // of the next hour
}

// fetch asks the server for an overview.
func (o *overviewOptions) fetch(ctx context.Context, client pb.ManagementClient) (*overview, error) {
	attention, err := client.GetAttention(ctx, &pb.GetAttentionRequest{Parent: o.parent()})
	if err != nil {
		return nil, err
	}
	forecast, err := client.GetForecast(ctx, &pb.GetForecastRequest{Parent: cmp.Or(o.parent(), "namespaces/-"), AppCount: shownApps})
	if err != nil {
		return nil, err
	}
	return &overview{attention, forecast}, nil
}

// needsPerson reports whether something needs a person.
func (v *overview) needsPerson() bool {
	return len(v.attention.GetJobs()) > 0 || len(v.attention.GetNodes()) > 0 || len(v.attention.GetUnreachable()) > 0
}

// due returns how many occurrences fall due, and whether these are all.
func (v *overview) due() (count uint64, exact bool) {
	for _, s := range v.forecast.GetSteps() {
		count += uint64(s.GetCount())
	}
	return count, v.forecast.GetExact()
}

// busiest returns the step with the most occurrences; nil if there is none.
func (v *overview) busiest() (s *pb.ForecastStep) {
	for _, step := range v.forecast.GetSteps() {
		if step.GetCount() > s.GetCount() {
			s = step
		}
	}
	return s
}

// jobs returns how many jobs with problems are in a state, and whether these are all.
func (v *overview) jobs(state pb.Job_State) (count uint64, exact bool) {
	exact = v.attention.GetExact() && len(v.attention.GetUnreachable()) == 0
	for _, p := range v.attention.GetJobs() {
		if p.GetState() == state {
			count += uint64(p.GetCount())
			exact = exact && p.GetExact()
		}
	}
	return count, exact
}

// MarshalJSON implements [json.Marshaler].
func (v *overview) MarshalJSON() ([]byte, error) {
	object := struct {
		NeedsAttention bool            `json:"needsAttention"`
		Attention      json.RawMessage `json:"attention"`
		Forecast       json.RawMessage `json:"forecast"`
	}{NeedsAttention: v.needsPerson()}
	for field, m := range map[*json.RawMessage]proto.Message{&object.Attention: v.attention, &object.Forecast: v.forecast} {
		text, err := protojson.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("print as JSON: %w", err)
		}
		*field = text
	}
	return json.Marshal(object)
}
