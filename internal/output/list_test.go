package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// sample is an element of the lists of these tests.
type sample struct {
	Name  string    `json:"name"`
	Count int64     `json:"count"`
	Seen  time.Time `json:"seen,omitzero"`
	Note  string    `json:"note"`
	Tags  []string  `json:"tags"`
}

func samples() *List[sample] {
	return &List[sample]{
		Columns: []Column[sample]{
			{Header: "NAME", Value: func(s sample) any { return s.Name }},
			{Header: "COUNT", Value: func(s sample) any { return s.Count }},
			{Header: "SEEN", Value: func(s sample) any { return s.Seen }},
			{Header: "TAGS", Value: func(s sample) any { return s.Tags }, Wide: true},
			{Header: "NOTE", Value: func(s sample) any { return s.Note }},
		},
		Name: func(s sample) string { return s.Name },
		None: "no samples",
	}
}

// testNow is the time of day of these tests.
func testNow() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }

func twoSamples() []sample {
	return []sample{
		{"backup", 7, testNow().Add(-5 * time.Minute), "a long note that does not fit", []string{"x", "y"}},
		{"évil\x1b[2J", 1200, time.Time{}, "tab\there", nil},
	}
}

func printed(t *testing.T, f Format, all []sample, change func(*terminal.Streams)) (out, errs string) {
	t.Helper()
	s, o, e := terminaltest.Streams()
	s.Now, s.Zone = testNow, time.FixedZone("CET", 3600)
	if change != nil {
		change(s)
	}
	if err := samples().Print(s, f, all); err != nil {
		t.Fatal(err)
	}
	return o.String(), e.String()
}

func onTerminal(s *terminal.Streams) { s.Terminal, s.Width = true, 50 }

func TestListsHaveEachFormat(t *testing.T) {
	for _, c := range []struct {
		name   string
		format Format
		change func(*terminal.Streams)
		want   string
	}{
		{
			"terminal", Table, onTerminal,
			"NAME         COUNT  SEEN    NOTE\n" +
				"backup           7  5m ago  a long note that does…\n" +
				"évil\\x1b[2J   1200  -       tab\\there\n",
		},
		{
			"pipe", Table, nil,
			"backup\t7\t2026-11-30T12:55:00+01:00\ta long note that does not fit\n" +
				"évil\\x1b[2J\t1200\t\ttab\\there\n",
		},
		{
			"wide on a terminal", Wide, onTerminal,
			"NAME         COUNT  SEEN                  TAGS  NOTE\n" +
				"backup           7  2026-11-30T11:55:00Z  x,y   a long note that does not fit\n" +
				"évil\\x1b[2J   1200  -                     -     tab\\there\n",
		},
		{
			"csv", CSV, nil,
			"NAME,COUNT,SEEN,TAGS,NOTE\n" +
				"backup,7,2026-11-30T11:55:00Z,\"x,y\",a long note that does not fit\n" +
				"évil\x1b[2J,1200,,,tab\there\n",
		},
		{"name", Name, nil, "backup\névil\\x1b[2J\n"},
		{
			"yaml", YAML, nil,
			"- name: backup\n  count: 7\n  seen: \"2026-11-30T11:55:00Z\"\n  note: a long note that does not fit\n  tags:\n  - x\n  - \"y\"\n" +
				"- name: \"évil\\e[2J\"\n  count: 1200\n  note: \"tab\\there\"\n  tags: null\n",
		},
	} {
		if got, _ := printed(t, c.format, twoSamples(), c.change); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
	}
}

func TestJSONKeepsEachField(t *testing.T) {
	out, _ := printed(t, JSON, twoSamples(), nil)
	var got []sample
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 2 || got[1].Name != twoSamples()[1].Name {
		t.Errorf("%s is %+v, %v", out, got, err)
	}
}

func TestNothingFoundIsAnEmptyList(t *testing.T) {
	for format, want := range map[Format]string{JSON: "[]\n", YAML: "[]\n", CSV: "NAME,COUNT,SEEN,TAGS,NOTE\n", Name: "", Table: "", Wide: ""} {
		if out, errs := printed(t, format, nil, nil); out != want || errs != "" {
			t.Errorf("%s: %q and %q, want %q", format, out, errs, want)
		}
	}
	if out, errs := printed(t, Table, nil, onTerminal); out != "" || errs != "no samples\n" {
		t.Errorf("on a terminal: %q and %q", out, errs)
	}
}

func TestHeaderIsBoldWhereColorsAreAllowed(t *testing.T) {
	out, _ := printed(t, Table, twoSamples(), func(s *terminal.Streams) { onTerminal(s); s.Color = true })
	if !strings.HasPrefix(out, "\x1b[1mNAME") || strings.Count(out, "\x1b") != 2 {
		t.Errorf("%q", out)
	}
}

func TestMessagesAreRenderedAsProtobufDoes(t *testing.T) {
	s, out, _ := terminaltest.Streams()
	l := &List[*durationpb.Duration]{}
	if err := l.Print(s, JSON, []*durationpb.Duration{durationpb.New(90 * time.Second)}); err != nil || out.String() != "[\n  \"90s\"\n]\n" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestRelativeTimesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s ago", time.Nanosecond: "in 0s", 119 * time.Second: "in 119s", -121 * time.Second: "2m1s ago", 10 * time.Minute: "in 10m",
		119 * time.Minute: "in 119m", 150 * time.Minute: "in 2h30m", 9 * time.Hour: "in 9h", 47 * time.Hour: "in 47h",
		-50 * time.Hour: "2d2h ago", 100 * 24 * time.Hour: "in 100d", 800 * 24 * time.Hour: "in 2y",
	} {
		if got := relativeTo(testNow())(testNow().Add(d)); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// A wait of more than 292 years is more than a duration holds.
func TestRelativeTimeIsNeverNegative(t *testing.T) {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	for at, want := range map[time.Time]string{first: "2025y ago", last: "in 7973y"} {
		if got := relativeTo(testNow())(at); got != want {
			t.Errorf("%v is %q, want %q", at, got, want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		now, at := time.Unix(r.Int64N(1<<33), r.Int64N(1e9)), time.Unix(first.Unix()+r.Int64N(last.Unix()-first.Unix()), 0)
		if r.IntN(2) == 0 {
			at = now.Add(time.Duration(r.Int64()>>r.IntN(63)) * (1 - 2*time.Duration(r.IntN(2))))
		}
		got := relativeTo(now)(at)
		if strings.Contains(got, "-") || strings.HasPrefix(got, "in ") != at.After(now) {
			t.Errorf("%v is %q at %v", at, got, now)
		}
	}
}

func TestSomeFormatsAreOffered(t *testing.T) {
	var f Format
	c := &cobra.Command{}
	AddSomeFlag(c, &f, Table, Wide, JSON)
	flag := c.Flags().Lookup("output")
	if err := flag.Value.Set("csv"); f != Table || err == nil || !strings.Contains(flag.Usage, "table, wide or json") {
		t.Errorf("--output csv: %v, %s; usage %q", err, f, flag.Usage)
	}
	if err := flag.Value.Set("wide"); err != nil || f != Wide {
		t.Errorf("--output wide: %v, %s", err, f)
	}
}

func TestUnknownFormatIsRefused(t *testing.T) {
	f := Table
	if err := f.Set("xml"); err == nil || err.Error() != "it must be table, wide, json, yaml, csv or name" || f != Table {
		t.Errorf("%v, %s", err, f)
	}
}

func FuzzTableCells(f *testing.F) {
	f.Add("a\tb", "\x1b[31m\u202e", int64(-1))
	f.Add("", "\xff\n", int64(7))
	f.Fuzz(func(t *testing.T, name, note string, count int64) {
		all := []sample{{Name: name, Note: note, Count: count}}
		if out, _ := printed(t, Table, all, nil); strings.Count(out, "\t") != 3 || strings.Count(out, "\n") != 1 || strings.Contains(out, "\x1b") {
			t.Errorf("a row is %q", out)
		}
		out, _ := printed(t, CSV, all, nil)
		rows, err := csv.NewReader(bytes.NewReader([]byte(out))).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[1]) != 5 {
			t.Errorf("%q is %q, %v", out, rows, err)
		}
		if out, _ := printed(t, YAML, all, nil); !strings.HasPrefix(out, "- name: ") {
			t.Errorf("YAML is %q", out)
		}
	})
}
