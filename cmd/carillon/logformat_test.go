package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/internal/store"
)

func TestLogHasDaprsFormats(t *testing.T) {
	for name, c := range map[string]struct {
		json bool
		want string
	}{
		"text": {false, `^time="\d{4}-\d\d-\d\dT[^" ]+" level=warning msg="two words" app_id=sub instance=\S+ scope=x type=log ver=\d\S+ n=1\n$`},
		"json": {true, `"level":"warning","msg":"two words","app_id":"sub"`},
	} {
		var out bytes.Buffer
		log, err := (&logConfig{level: "info", json: c.json}).logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		asDapr(log.With(slog.String("app_id", "sub")), "x").Warn("two words", slog.Int("n", 1))
		if !regexp.MustCompile(c.want).MatchString(out.String()) {
			t.Errorf("%s: %s, want a match of %s", name, &out, c.want)
		}
		if c.json && !json.Valid(out.Bytes()) {
			t.Errorf("%s is not JSON", &out)
		}
	}
}

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

// TestTraceIsBelowDebug checks the level of the internal events of Pebble and etcd, which Dapr does not have.
func TestTraceIsBelowDebug(t *testing.T) {
	for level, want := range map[string]string{"debug": "debug", "trace": "debug trace"} {
		var out bytes.Buffer
		log, err := (&logConfig{level: level}).logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("a")
		log.Log(t.Context(), store.LevelTrace, "b")
		var got []string
		for _, m := range regexp.MustCompile(`level=(\w+)`).FindAllStringSubmatch(out.String(), -1) {
			got = append(got, m[1])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("--log-level %s shows lines of level %s, want %s", level, s, want)
		}
	}
}
