package sidecar_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/sidecar"
)

// oddData is what a google.protobuf.Value cannot hold as it is written.
const oddData = `{"id":12345678901234567890,"@type":"x","amount":1.0,"\u0061":"\/"}`

// A scheduler of Dapr's keeps data byte for byte, and so this one stands for it.
func TestOddDataGoesThroughASchedulerOfDapr(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, seen := startWithApp(t, sidecar.App{}, ok)
		f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1h","data":`+oddData+`}`)
		data := f.scheduler.job("default|sub|a").GetJob().GetData()
		for header, want := range map[string]string{
			"X: y": `"data":{"@type":"type.googleapis.com/google.protobuf.Value","value":` + oddData + `}`, "dapr-app-id: sub": `"data":` + oddData,
		} {
			if got := f.send("GET", "/v1.0/jobs/a", "", header); !strings.Contains(got.body, want) {
				t.Errorf("%s: GET = %s, want %s", header, got.body, want)
			}
		}
		w := f.scheduler.stream()
		w.trigger(1, "a", data)
		w.wantResult(t, "the trigger", 1, true)
		if got := seen(); len(got) != 1 || got[0].body != oddData {
			t.Errorf("the app got %+v, want %s", got, oddData)
		}
	})
}

// What a daprd in our sidecar's place makes of the data, with the same scheduler, is what it always made of it; and what it
// stored is delivered as by itself.
func TestOddDataOfOneSidecarIsReadByDaprs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, seen := startWithApp(t, sidecar.App{}, ok)
		f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1h","data":`+oddData+`}`)
		var got structpb.Value
		if err := f.scheduler.job("default|sub|a").GetJob().GetData().UnmarshalTo(&got); err != nil {
			t.Fatal(err)
		}
		var daprs structpb.Value
		if err := json.Unmarshal([]byte(oddData), &daprs); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(daprs.AsInterface(), got.AsInterface()); diff != "" {
			t.Errorf("unexpected value (-want +got):\n%s", diff)
		}
		w := f.scheduler.stream()
		w.trigger(1, "a", mustAny(t, &daprs))
		w.wantResult(t, "the trigger", 1, true)
		if got := seen(); len(got) != 1 || got[0].body != `{"@type":"x","a":"/","amount":1,"id":12345678901234567000}` {
			t.Errorf("the app got %+v, want what daprd stored", got)
		}
	})
}

func TestAGRPCAppGetsOddDataAsItIsStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &grpcApp{stable: works}
		f, _ := startWithGRPCApp(t, a)
		f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1h","data":`+oddData+`}`)
		data := f.scheduler.job("default|sub|a").GetJob().GetData()
		w := f.scheduler.stream()
		w.trigger(1, "a", data)
		w.wantResult(t, "the trigger", 1, true)
		if diff := cmp.Diff(data, a.last.GetData(), protocmp.Transform()); diff != "" {
			t.Errorf("unexpected data (-want +got):\n%s", diff)
		}
	})
}

func TestNumbersThatCannotBeKeptAsGivenAreWarnedOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := warned(t)
		deep := strings.Repeat("[", 150) + "1.0" + strings.Repeat("]", 150)
		large := "[" + strings.Repeat("1.0,", 150_000) + "1]"
		for name, data := range map[string]string{"deep": deep, "large": large} {
			got := f.send("POST", "/v1.0/jobs/"+name, `{"dueTime":"1h","data":`+data+`}`)
			if warning := got.header.Get("Warning"); got.code != http.StatusNoContent || !strings.Contains(warning, "integers beyond 2^53 change") {
				t.Errorf("%s: %d %q, want 204 and a warning", name, got.code, warning)
			}
			if got := f.send("GET", "/v1.0/jobs/"+name, "", "dapr-app-id: sub"); !strings.Contains(got.body, `"data":`+strings.ReplaceAll(data, ".0", "")) {
				t.Errorf("%s: GET = %.100s, want the numbers as Dapr has them", name, got.body)
			}
		}
		got := f.send("POST", batchPath, `[{"name":"b","dueTime":"1h","data":`+deep+`}]`)
		if warning := got.header.Get("Warning"); got.code != http.StatusOK || !strings.HasPrefix(warning, `299 - "job \"b\": data is nested more than`) {
			t.Errorf("a batch: %d %q, want 200 and a warning", got.code, warning)
		}
		if n := strings.Count(page.String(), "level=WARN"); n != 3 {
			t.Errorf("the log has %d warnings, want 3:\n%s", n, page)
		}
		if got := f.send("POST", "/v1.0/jobs/odd", `{"dueTime":"1h","data":`+oddData+`}`); got.header.Get("Warning") != "" {
			t.Errorf("data that is kept: %q, want no warning", got.header.Get("Warning"))
		}
	})
}

// Whether a scheduler found fault with the request is known by its text, from one of Dapr's as from ours; all else that it
// reports stays what it is.
func TestOnlyWhatASchedulerFoundInvalidIsTheClientsMistake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		for _, answered := range []struct {
			code codes.Code
			text string
			http int // of a POST as published
			get  int // of a GET or DELETE
		}{
			{codes.Unknown, "job failed validation: ttl must be greater than due time", 400, 400},
			{codes.Unknown, `job name is invalid "app||default||sub||a": must be at most 512 characters`, 400, 400},
			{codes.Unknown, "etcdserver: mvcc: database space exceeded", 500, 500},
			{codes.Unknown, "the disk said: job failed validation: no", 500, 500},
			{codes.Internal, "job failed validation: ", 500, 500},
			{codes.NotFound, "job not found: a", 404, 500},
			{codes.AlreadyExists, "job already exists: 'app||default||sub||a'", 409, 500},
			{codes.ResourceExhausted, "trying to send message larger than max (3 vs. 2)", 429, 500},
			{codes.Unavailable, "try again", 503, 500},
		} {
			f.scheduler.answersWith(status.Error(answered.code, answered.text))
			for _, r := range []struct {
				method, header string
				code           int
			}{
				{"POST", "dapr-app-id: sub", answered.http},
				{"GET", "dapr-app-id: sub", answered.get},
				{"DELETE", "dapr-app-id: sub", answered.get},
				{"GET", "X: y", 500},
				{"DELETE", "X: y", 500},
			} {
				got := f.send(r.method, "/v1.0/jobs/a", `{"dueTime":"1s"}`, r.header)
				if got.code != r.code || !strings.Contains(got.body, "rpc error: code = "+answered.code.String()+" desc = ") {
					t.Errorf("%s, %s: %s answered with %d %s, want %d and the scheduler's text", answered.text, r.header, r.method, got.code, got.body, r.code)
				}
			}
			want := answered.code
			if want == codes.Unknown {
				want = codes.Internal
			}
			_, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a", DueTime: new("1s")}})
			if status.Code(err) != want {
				t.Errorf("%s, over gRPC: %v, want %v", answered.text, err, want)
			}
		}
	})
}
