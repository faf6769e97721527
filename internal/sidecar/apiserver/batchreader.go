package apiserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"carillon/internal/wire"
)

// array returns the items of a JSON array. The body must be one array and nothing else.
func (b *batchRequest) array(body []byte) (iter.Seq2[[]byte, *wire.APIError], *wire.APIError) {
	err := json.Unmarshal(body, new(anyJSON)) // validates all of it first
	if body = bytes.TrimSpace(body); err == nil && body[0] != '[' {
		err = errors.New("it is not an array of jobs; for a job on each line say Content-Type: " + ndjson)
	}
	if err != nil {
		return nil, wire.MalformedBatch(b.target, err)
	}
	number := 0
	for range elements(body) {
		if number++; number > maxBatchJobs {
			return nil, b.tooManyJobs()
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

// anyJSON decodes from any JSON, and keeps nothing.
type anyJSON struct{}

func (anyJSON) UnmarshalJSON([]byte) error { return nil }

// elements yields the elements of a valid JSON array. To decode all of them at once would take many
// times the memory of the array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		dec := json.NewDecoder(bytes.NewReader(array))
		_, _ = dec.Token() // no error: the array is valid
		for dec.More() {
			start := dec.InputOffset()
			_ = dec.Decode(new(anyJSON))
			if !yield(bytes.TrimLeft(array[start:dec.InputOffset()], ", \t\r\n")) {
				return
			}
		}
	}
}

// readLines yields the lines of body that are not empty, each valid until the next. It calls extend
// before each chunk of lines. It yields an error in the place of a line that is too long, of the
// first line beyond maxBatchJobs, and of a line that could not be read; the latter two are the
// last.
func (b *batchRequest) readLines(body io.Reader, extend func()) iter.Seq2[[]byte, *wire.APIError] {
	return func(yield func([]byte, *wire.APIError) bool) {
		r := bufio.NewReaderSize(body, 64<<10)
		for n := 0; ; {
			if n%chunkJobs == 0 {
				extend()
			}
			line, long, err := readLine(r, int(b.bodies.limit))
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
				yield(nil, b.tooManyJobs())
				return
			}
			n++
			var e *wire.APIError
			if long {
				e = b.bodies.tooLarge(b.target)
			}
			if !yield(line, e) || err != nil {
				return
			}
		}
	}
}

// readLine returns a line with its newline, valid until the next call. If the line is longer than
// limit, it reads all of it and returns nothing.
func readLine(r *bufio.Reader, limit int) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, len(line) > limit, err
	}
	line = bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = r.ReadSlice('\n')
		if long = long || len(line)+len(more) > limit; !long {
			line = append(line, more...)
		}
	}
	if long {
		return nil, true, err
	}
	return line, false, err
}
