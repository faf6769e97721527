package main

import (
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestLogHasLinesThatProgramsWaitFor checks that each line is logged, and is true when it is.
func TestLogHasLinesThatProgramsWaitFor(t *testing.T) {
	d := startScheduler(t, "--etcd-data-dir", t.TempDir())
	for _, line := range []string{"Dapr Scheduler listening on: 127.0.0.1:", "Dapr Scheduler api is ready"} {
		waitFor(t, line, func() bool { return strings.Contains(d.said.String(), `level=info msg="`+line) })
	}
	if status, body := d.get(t, "healthz", "/healthz"); status != 200 {
		t.Errorf("healthz = %d %s although it says that it is ready", status, body)
	}
	s := startSidecar(t, nil, "--scheduler-host-address", d.address["scheduler"])
	internal := regexp.MustCompile(`level=info msg="Internal gRPC server is running on port \d+" .*address=(\S+)`)
	for _, line := range []string{"Dapr api is ready", "Scheduler clients initialized"} {
		waitFor(t, line, func() bool { return strings.Contains(s.said.String(), `level=info msg="`+line+`"`) })
	}
	waitFor(t, "the internal port", func() bool { return internal.MatchString(s.said.String()) })
	conn, err := net.DialTimeout("tcp", internal.FindStringSubmatch(s.said.String())[1], 10*time.Second)
	if err != nil {
		t.Fatalf("the internal port: %v", err)
	}
	conn.Close()
}
