package job

import "strings"

// A Label is a key with a value. Both have the syntax of Kubernetes.
type Label struct {
	Key, Value string
}

// The syntax of labels, for errors.
const (
	labelNameRule = "has at most 63 letters, digits, '-', '_' and '.', the first and the last a letter or a digit"

	// LabelKeyRule says what [IsLabelKey] accepts.
	LabelKeyRule = "a key " + labelNameRule + "; a DNS name in lower case of at most 253 bytes and a '/' may precede it"
)

// IsLabelKey reports whether key may be the key of a label.
func IsLabelKey(key string) bool {
	prefix, name, found := strings.Cut(key, "/")
	if !found {
		return isLabelName(key)
	}
	return isDNSName(prefix) && isLabelName(name)
}

// isLabelName reports whether s may be a value, or the name in a key.
func isLabelName(s string) bool {
	const maxName = 63
	if s == "" || len(s) > maxName || !isAlphanumeric(s[0]) || !isAlphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("-_.", s[i]) < 0 {
			return false
		}
	}
	return true
}

// isDNSName reports whether s may be the prefix of a key: dots between parts of letters in lower
// case, digits and '-', each with a letter or a digit first and last.
func isDNSName(s string) bool {
	const maxPrefix = 253
	if len(s) > maxPrefix {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' {
			return false
		}
		for i := range len(part) {
			if b := part[i]; b != '-' && (!isAlphanumeric(b) || 'A' <= b && b <= 'Z') {
				return false
			}
		}
	}
	return true
}

func isAlphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}
