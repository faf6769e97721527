package sidecar_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"carillon/internal/sidecar"
)

// maxAnswer is the largest response to a failed request, in bytes.
const maxAnswer = 3 << 10

func TestErrorsRepeatLittleInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{AnyApp: true, DefaultApp: "sub"})
		long := strings.Repeat("long", 1<<16) // 256 KiB
		scheduler := status.Error(codes.Unknown, "job failed validation: "+long+" is wrong")
		small := func(what string, n int) {
			t.Helper()
			if n > maxAnswer {
				t.Errorf("%s: the answer has %d bytes, want %d at most", what, n, maxAnswer)
			}
		}
		for _, body := range []string{
			long, `"` + long + `"`, `{"` + long + `":`, `{"dueTime":` + long + `}`, `{"dueTime":["` + long + `"]}`,
			`{"job":{"dueTime":"1h","dueTime":"` + long + `"}}`, `{"repeats":"` + long + `"}`, `{"job":{},"job":"` + long + `"}`,
			`{"failurePolicy":{"constant":{"interval":"` + long + `"}}}`, `{"failurePolicy":{"` + long + `":{}}}`,
			`{"name":"` + long + `","dueTime":"1h"}`, `{"data":{"@type":"` + long + `"},"data":1}`, `{"overwrite":"` + long + `"}`,
		} {
			got := f.send(http.MethodPost, "/v1.0-alpha1/jobs/x", body)
			small(fmt.Sprintf("HTTP %.40s", body), len(got.body))
			if got.code < 400 {
				t.Errorf("%.40s was answered with %d, want an error", body, got.code)
			}
			for media, body := range map[string]string{"application/json": "[" + body + "]", "application/x-ndjson": body + "\n"} {
				got := f.send(http.MethodPost, "/v1/jobs/batch", body, "Content-Type: "+media)
				small(fmt.Sprintf("%s %.40s", media, body), len(got.body))
			}
		}
		name := strings.Repeat("n", 3<<10)
		for _, path := range []string{"/v1.0/jobs/" + name, "/v1.0/" + name, "/v1.0/jobs/%zz" + name, "/v1.0/metadata/%zz" + name} {
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodPut} {
				f.scheduler.answersWith(scheduler)
				got := f.send(method, path, `{"dueTime":"1h"}`)
				small(fmt.Sprintf("%s %.40s", method, path), len(got.body))
				got = f.send(method, "/v1.0/jobs/x", "{", "dapr-app-id: "+name, "x: y")
				small(method+" for an app", len(got.body))
				for header, values := range got.header {
					small("header "+header, len(strings.Join(values, "")))
				}
			}
		}

		conn := f.grpc()
		client := runtimev1.NewDaprClient(conn)
		wide := metadata.AppendToOutgoingContext(t.Context(), "dapr-app-id", strings.Repeat("a", 30<<10))
		one := &runtimev1.Job{Name: "x", DueTime: new("1h")}
		for what, call := range map[string]func() error{
			"ScheduleJob": func() error {
				_, err := client.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{Job: one})
				return err
			},
			"GetJob": func() error {
				_, err := client.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: long})
				return err
			},
			"DeleteJob": func() error {
				_, err := client.DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: long})
				return err
			},
			"ListJobs": func() error {
				_, err := client.ListJobs(wide, &runtimev1.ListJobsRequest{})
				return err
			},
			"DeleteJobsByPrefix": func() error {
				_, err := client.DeleteJobsByPrefix(t.Context(), &runtimev1.DeleteJobsByPrefixRequest{NamePrefix: &long})
				return err
			},
			"of an app": func() error {
				_, err := client.GetJob(wide, &runtimev1.GetJobRequest{Name: "x"})
				return err
			},
			"no method": func() error {
				return conn.Invoke(t.Context(), "/"+long[:40<<10]+"/x", &emptypb.Empty{}, &emptypb.Empty{})
			},
			"no service": func() error {
				return conn.Invoke(t.Context(), "/dapr.proto.runtime.v1.Dapr/"+long[:40<<10], &emptypb.Empty{}, &emptypb.Empty{})
			},
		} {
			f.scheduler.answersWith(scheduler)
			err := call()
			st := status.Convert(err)
			if st.Code() == codes.OK {
				t.Errorf("%s ended well, want an error", what)
			}
			n := len(st.Message())
			for _, d := range st.Proto().GetDetails() {
				n += len(d.GetValue())
			}
			if n > 2*maxAnswer { // the text, and the app's id in the details
				t.Errorf("%s: the error has %d bytes, want %d at most", what, n, 2*maxAnswer)
			}
		}
	})
}
