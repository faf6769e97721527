package apiserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/job"
)

// linesOf returns the lines of a batch, and "refused" for an error in the place of one.
func linesOf(body []byte, maxBody int64) (lines []string) {
	b := &batchRequest{bodies: bodyReader{limit: maxBody}, target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}}
	for line, e := range b.readLines(bytes.NewReader(body), func() {}) {
		if e != nil {
			line = []byte("refused")
		}
		lines = append(lines, string(line))
	}
	return lines
}

// itemsOf returns the items of a batch, if it is an array.
func itemsOf(body []byte) (items []string, ok bool) {
	b := &batchRequest{target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}}
	all, e := b.array(body)
	if e != nil {
		return nil, false
	}
	for item, e := range all {
		if e != nil {
			return nil, false
		}
		items = append(items, string(item))
	}
	return items, true
}

// FuzzBatchItems checks that a batch of lines is read like by bufio.Scanner, and that a batch that
// is an array is read like by encoding/json.
func FuzzBatchItems(f *testing.F) {
	for _, body := range []string{
		"", "\n", "a\nb", "a\r\nb\n\n\n c \n", "{\"name\":\"a\"}\n[]\n", "a long line that is too long\nshort\n", "\u2028\n\u00a0\nx",
		"[]", "[1,{\"a\":[2]},null]", "null", "[1", "[1]x", " [ 1 , \"\xff\" ] ", "{}", "[\"\\ud800\"]",
	} {
		f.Add([]byte(body), uint16(0))
		f.Add([]byte(body), uint16(7000)) // longer than a buffer
	}
	f.Fuzz(func(t *testing.T, body []byte, times uint16) {
		const most = 16
		body = bytes.Repeat(body, 1+int(times)%8000)
		if len(body) > 1<<20 {
			return
		}
		var want []string
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(nil, len(body)+2)
		lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
			if i := bytes.IndexByte(data, '\n'); i >= 0 {
				return i + 1, data[:i+1], nil
			}
			if atEOF && len(data) > 0 {
				return len(data), data, nil
			}
			return 0, nil, nil
		})
		for lines.Scan() {
			switch line := strings.TrimSpace(lines.Text()); {
			case len(lines.Bytes()) > most:
				want = append(want, "refused")
			case line != "":
				want = append(want, line)
			}
		}
		if len(want) > 100_000 {
			want = append(want[:100_000], "refused")
		}
		if got := linesOf(body, most); !slices.Equal(got, want) {
			t.Errorf("lines (-want +got):\n%s", cmp.Diff(want, got))
		}

		var items []json.RawMessage
		err := json.Unmarshal(body, &items)
		array, ok := itemsOf(body)
		if ok != (err == nil && items != nil && len(items) <= 100_000) || ok && len(array) != len(items) {
			t.Errorf("%.100q is an array of %d: %v, and json says %d, %v", body, len(array), ok, len(items), err)
		}
	})
}
