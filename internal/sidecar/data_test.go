package sidecar_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		if warning := got.header.Get("Warning"); got.code != http.StatusOK || !strings.HasPrefix(warning, `299 - "job \"b\": data has more than`) {
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
