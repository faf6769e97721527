package output

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/terminal/terminaltest"
)

func TestOneThingHasEachFormat(t *testing.T) {
	one := sample{Name: "backup", Count: 7}
	lines := []Detail{{"Name", "back\x1bup"}, {"Nothing", ""}, {"Never", time.Time{}}, {"Seen at", testNow().Add(time.Minute)}, {"Count", 7}}
	for _, c := range []struct {
		format   string
		terminal bool
		want     string
	}{
		{Text, false, "Name:    back\\x1bup\nSeen at: 2026-11-30T13:01:00+01:00\nCount:   7\n"},
		{Text, true, "Name:    back\\x1bup\nSeen at: 2026-11-30T13:01:00+01:00 (in 60s)\nCount:   7\n"},
		{"json", true, "{\n  \"name\": \"backup\",\n  \"count\": 7,\n  \"note\": \"\",\n  \"tags\": null\n}\n"},
		{"yaml", true, "name: backup\ncount: 7\nnote: \"\"\ntags: null\n"},
	} {
		s, out, _ := terminaltest.Streams()
		s.Now, s.Zone, s.Terminal = testNow, time.FixedZone("CET", 3600), c.terminal
		if err := PrintOne(s, c.format, one, lines); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s, terminal %v:\n%s\nwant:\n%s", c.format, c.terminal, out, c.want)
		}
	}
	s, out, _ := terminaltest.Streams()
	if err := PrintOne(s, "json", durationpb.New(time.Second), nil); err != nil || out.String() != "\"1s\"\n" {
		t.Errorf("a message is %s, %v", out, err)
	}
}
