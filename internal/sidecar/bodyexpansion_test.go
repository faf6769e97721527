package sidecar_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"carillon/internal/sidecar"
)

// listOf returns a body whose data is a list of that many bytes: equal items, and a last one.
func listOf(bytes int, item, last string) string {
	return `{"dueTime":"1h","data":[` + strings.Repeat(item+",", bytes/(len(item)+1)) + last + "]}"
}

func TestExpandingBodyIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{DefaultApp: "sub", MaxCallBytes: 32 << 20})
		name := 0
		for what, c := range map[string]struct {
			body string
			code int
			want string
		}{
			"a text":                       {`{"dueTime":"1h","data":"` + strings.Repeat("text, ", 600_000) + `"}`, 204, ""},
			"a text with escapes":          {`{"dueTime":"1h","data":"` + strings.Repeat(`text,\n`, 280_000) + `"}`, 204, ""},
			"a list of texts":              {listOf(2<<20, `"twenty bytes of text"`, "0"), 204, ""},
			"few numbers":                  {listOf(100<<10, "0", "0"), 204, ""},
			"numbers that take 22 MB":      {listOf(4_000_000, "0", "0"), 429, "takes more than 4194304 bytes"},
			"numbers, as messages":         {listOf(4_000_000, "0", `"\n"`), 429, "takes more than 4194304 bytes"},
			"numbers that take 100 MB":     {listOf(400_000, "0", `"\n"`), 503, "raise the memory limit"},
			"lists that take 60 MB":        {listOf(400_000, "[]", `"\n"`), 503, "raise the memory limit"},
			"objects that take 90 MB":      {listOf(400_000, `{"":0}`, `"\u0001"`), 503, "raise the memory limit"},
			"what nobody reads":            {`{"dueTime":"1h","x":[` + strings.Repeat("[],", 100_000) + "[]]}", 503, "raise the memory limit"},
			"a wrapped job":                {`{"job":` + listOf(400_000, "0", `"\n"`) + "}", 503, "raise the memory limit"},
			"deeper than messages may be":  {`{"dueTime":"1h","data":` + strings.Repeat("[", 6000) + strings.Repeat("]", 6000) + "}", 400, "data: "},
			"not as deep as messages may":  {`{"dueTime":"1h","data":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}", 204, ""},
			"a job that is small again":    {`{"dueTime":"1h","data":"\n"}`, 204, ""},
			"as many as are free are free": {`{"dueTime":"1h","data":"` + strings.Repeat("x", 4<<20-100) + `"}`, 204, ""},
		} {
			for range 2 { // everything reserved was released
				name++
				got := f.send(http.MethodPost, "/v1.0-alpha1/jobs/"+strconv.Itoa(name), c.body)
				if got.code != c.code || !strings.Contains(got.body, c.want) {
					t.Errorf("%s: %d %.200s, want %d with %q", what, got.code, got.body, c.code, c.want)
				}
				if again := got.header.Get("Retry-After"); (again == "1") != (got.code == 503) {
					t.Errorf("%s: Retry-After is %q beside %d", what, again, got.code)
				}
				for media, form := range map[string][2]string{"application/json": {"[", "]"}, "application/x-ndjson": {"", "\n"}} {
					if len(c.body) > 2<<20 || c.code != 503 && c.code != 204 { // beside the buffers of a batch
						continue
					}
					item := strings.Replace(c.body, "{", fmt.Sprintf(`{"name":"%d%s",`, name, media[12:]), 1)
					got := f.send(http.MethodPost, "/v1/jobs/batch", form[0]+item+form[1], "Content-Type: "+media)
					if !strings.Contains(got.body, c.want) || c.code == 204 && got.code != 200 {
						t.Errorf("%s in %s: %d %.200s, want %q", what, media, got.code, got.body, c.want)
					}
				}
			}
		}
		many := "[" + strings.Repeat("{},", 1_300_000) + "{}]"
		if got := f.send(http.MethodPost, "/v1/jobs/batch", many); got.code != 413 && got.code != 503 {
			t.Errorf("a batch of 1,300,000 jobs: %d %.200s, want a refusal", got.code, got.body)
		}
	})
}
