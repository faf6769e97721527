package wire

import "errors"

// A Room is asked before so many more bytes of memory are used, and reports whether they may be. The caller that gave it gives them
// back when what they were used for has ended. Nil always has room.
type Room func(bytes int) bool

func (r Room) has(bytes int) bool { return r == nil || r(bytes) }

var (
	// ErrNoRoom says that a body takes more memory than there is room for while it is read.
	ErrNoRoom = errors.New("to read the body takes more memory than there is room for now: send fewer values, or raise the memory limit")
	// ErrDataTooLarge says that the data of a job takes more than any scheduler accepts.
	ErrDataTooLarge = errors.New("the data takes more than 4194304 bytes as a google.protobuf.Value, and no scheduler takes so much: send less")
)

const (
	// maxData is how many bytes the data may have that a scheduler is asked to store: it takes messages of 4 MiB.
	maxData = 4 << 20
	// valueCost is about how much memory proto-JSON takes for a value, or for the key of one: measured, and rounded up.
	valueCost = 512
	// textCost is how many times a body is in memory meanwhile, beside that: in parts, as messages, and encoded.
	textCost = 4
	// minValue is how many bytes a value takes in the data at least.
	minValue = 4
)

// treeCost returns about how much memory it takes to read a body by proto-JSON, which makes a message of each value in it,
// and how deeply values are within each other.
func treeCost(body []byte) (bytes, depth int) {
	values, open := 1, 0
	inText, escaped := false, false
	for _, c := range body {
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
	return textCost*len(body) + values*valueCost, depth
}
