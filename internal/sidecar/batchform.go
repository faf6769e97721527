package sidecar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"carillon/internal/wire"
)

// array returns the items of an array in JSON, if body is one and nothing else.
func (b *batch) array(body []byte) (iter.Seq2[[]byte, *wire.APIError], *wire.APIError) {
	err := json.Unmarshal(body, new(anyJSON)) // which looks at all of it first
	if body = bytes.TrimSpace(body); err == nil && body[0] != '[' {
		err = errors.New("it is not an array of jobs; for a job on each line say Content-Type: " + ndjson)
	}
	if err != nil {
		return nil, wire.MalformedBatch(b.target, err)
	}
	number := 0
	for range elements(body) {
		if number++; number > maxBatchJobs {
			return nil, b.tooMany()
		}
	}
	return func(yield func([]byte, *wire.APIError) bool) {
		for item := range elements(body) {
			if !yield(item, nil) {
				return
			}
		}
	}, nil
}

// anyJSON is any JSON, of which nothing is kept.
type anyJSON struct{}

func (anyJSON) UnmarshalJSON([]byte) error { return nil }

// elements yields the elements of an array in JSON, one after the other: all of them at once would take many times as much
// as the array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		dec := json.NewDecoder(bytes.NewReader(array))
		_, _ = dec.Token() // none of this fails: it is valid
		for dec.More() {
			begin := dec.InputOffset()
			_ = dec.Decode(new(anyJSON))
			if !yield(bytes.TrimLeft(array[begin:dec.InputOffset()], ", \t\r\n")) {
				return
			}
		}
	}
}

// readLines yields the lines of body but for empty ones, each valid until the next. It calls awake before each portion. An error
// stands in the place of a line that is too long, of the first of too many, and of one that could not be read; after the
// latter two nothing follows.
func (b *batch) readLines(body io.Reader, awake func()) iter.Seq2[[]byte, *wire.APIError] {
	return func(yield func([]byte, *wire.APIError) bool) {
		r := bufio.NewReaderSize(body, 64<<10)
		for n := 0; ; {
			if n%portionJobs == 0 {
				awake()
			}
			line, long, err := readLine(r, int(b.sidecar.cfg.MaxBody))
			line = bytes.TrimSpace(line)
			switch {
			case err != nil && !errors.Is(err, io.EOF):
				yield(nil, wire.NewAPIError(wire.ReasonBodyRead, b.target, "failed to read request body: "+err.Error()))
				return
			case len(line) == 0 && !long && err == nil:
				continue
			case len(line) == 0 && !long:
				return
			case n == maxBatchJobs:
				yield(nil, b.tooMany())
				return
			}
			n++
			var e *wire.APIError
			if long {
				e = b.sidecar.bodyTooLarge(b.target)
			}
			if !yield(line, e) || err != nil {
				return
			}
		}
	}
}

// readLine returns a line with its end, valid until the next. Of one that is longer than most it returns nothing, and
// has read all of it.
func readLine(r *bufio.Reader, most int) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, len(line) > most, err
	}
	line = bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = r.ReadSlice('\n')
		if long = long || len(line)+len(more) > most; !long {
			line = append(line, more...)
		}
	}
	if long {
		return nil, true, err
	}
	return line, false, err
}
