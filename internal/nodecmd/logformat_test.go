package nodecmd

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"

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
		log, err := (&LogFlags{Level: "info", JSON: c.json}).logger(&out)
		if err != nil {
			t.Fatal(err)
		}
		AsDapr(log.With(slog.String("app_id", "sub")), "x").Warn("two words", slog.Int("n", 1))
		if !regexp.MustCompile(c.want).MatchString(out.String()) {
			t.Errorf("%s: %s, want a match of %s", name, &out, c.want)
		}
		if c.json && !json.Valid(out.Bytes()) {
			t.Errorf("%s is not JSON", &out)
		}
	}
}

// TestTraceIsBelowDebug checks the level of the internal events of Pebble and etcd, which Dapr does not have.
func TestTraceIsBelowDebug(t *testing.T) {
	for level, want := range map[string]string{"debug": "debug", "trace": "debug trace"} {
		var out bytes.Buffer
		log, err := (&LogFlags{Level: level}).logger(&out)
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
