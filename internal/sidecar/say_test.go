package sidecar_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/sidecar"
)

func TestTheLogHasTheLinesThatScriptsLookFor(t *testing.T) {
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
