package jsonvalue

import "fmt"

// A Loss says why data is not rendered as it was written; 0: it is.
type Loss uint8

const (
	// TooLargeToKeep is the loss of data that is too large with the spellings of its numbers.
	TooLargeToKeep Loss = 1
	// TooDeepToKeep is the loss of data that is nested too deeply.
	TooDeepToKeep Loss = 2
)

// String describes the loss to the author of the data; it is empty if there is none.
func (l Loss) String() string {
	const as = "its numbers are kept as 64-bit floating point, as in Dapr: integers beyond 2^53 change, and 1.0 becomes 1"
	const instead = "; write such numbers as strings, or "
	switch l {
	case TooLargeToKeep:
		return fmt.Sprintf("data would take more than %d bytes with numbers as they are written: %s%ssend less", maxSpelled, as, instead)
	case TooDeepToKeep:
		return fmt.Sprintf("data is nested more than %d levels deep: %s, and the order of keys is lost%snest less",
			maxDepth, as, instead)
	default:
		return ""
	}
}
