package jsonvalue

import "errors"

// A Reserve reserves memory, and reports whether it could. The caller that provides it releases the
// memory when the value is no longer in use. Nil always succeeds.
type Reserve func(bytes int) bool

// Take reserves that many bytes.
func (r Reserve) Take(bytes int) bool { return r == nil || r(bytes) }

var (
	// ErrNoMemory is the error of a text that needs more memory than could be reserved.
	ErrNoMemory = errors.New("reading the body needs more memory than is free now: send fewer values, or raise the memory limit")
	// ErrTooLarge is the error of a value that is larger than any scheduler accepts.
	ErrTooLarge = errors.New("the data takes more than 4194304 bytes as a google.protobuf.Value, and no scheduler takes so much: send less")
)

const (
	// maxData is how many bytes a value may have: schedulers accept messages of 4 MiB.
	maxData = 4 << 20
	// valueCost is how many bytes of memory proto-JSON uses for a value or a key: measured, and
	// rounded up.
	valueCost = 512
	// textCost is how many copies of a text are in memory meanwhile: in parts, as messages, and
	// encoded.
	textCost = 4
	// minValue is the smallest size of an encoded value, in bytes.
	minValue = 4
)

// ProtoJSONCost returns about how many bytes of memory proto-JSON uses to read a text, because it
// makes a message of each value, and how deeply values are nested. It returns [ErrTooLarge] if no
// scheduler would accept the value.
func ProtoJSONCost(text []byte) (bytes, depth int, err error) {
	values, open := 1, 0
	inText, escaped := false, false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped = c == '\\'
			inText = c != '"'
		case c == '"':
			inText = true
		case c == ',' || c == ':':
			values++
		case c == '[' || c == '{':
			values++
			open++
			depth = max(depth, open)
		case c == ']' || c == '}':
			open--
		}
	}
	bytes = textCost*len(text) + values*valueCost
	if bytes > maxData/minValue*valueCost+textCost*len(text) {
		return bytes, depth, ErrTooLarge
	}
	return bytes, depth, nil
}
