package sidecar_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

func TestLogHasDaprLines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		var said bytes.Buffer
		f.log = slog.New(slog.NewTextHandler(&said, nil))
		l := f.listen(appAddress) // and nobody serves it
		defer l.Close()
		go func() {
			for {
				if _, err := l.Accept(); err != nil {
					return
				}
			}
		}()
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
		time.Sleep(time.Second)
		synctest.Wait()
		f.stop()
		for _, line := range []string{
			"application protocol: http. waiting on port 6000.  This will block until the app is listening on that port.",
			"application discovered on port 6000",
			"HTTP server is running on port ",
			"API gRPC server is running on port ",
			"Dapr api is ready",
			"Scheduler clients initialized",
			"dapr initialized. Status: Running. Init Elapsed ",
			"Connected and received scheduler hosts addresses: [scheduler:50006]",
			"Scheduler stream connected for [JOB_TARGET_TYPE_JOB]",
		} {
			if !strings.Contains(said.String(), line) {
				t.Errorf("the log has no line %q", line)
			}
		}
		if t.Failed() {
			t.Log(said.String())
		}
	})
}

func TestRefusedStreamDoesNotFloodLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.scheduler.noJobs = status.Error(codes.InvalidArgument, "missing namespace or appID in request")
		var said bytes.Buffer
		f.log = slog.New(slog.NewTextHandler(&said, nil))
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub"}}, Schedulers: []string{schedulerAddress}})
		time.Sleep(10 * time.Minute)
		f.scheduler.mu.Lock()
		f.scheduler.noJobs = nil
		f.scheduler.mu.Unlock()
		time.Sleep(time.Second)
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open once they are not refused any more, want 3", len(open))
		}
		f.stop()
		for _, line := range []string{"Scheduler stream connected", "scheduler stream ended; it is opened again"} {
			if n := strings.Count(said.String(), line); n != 3 {
				t.Errorf("%q was logged %d times in ten minutes, want once for each of 3 streams", line, n)
			}
		}
	})
}
