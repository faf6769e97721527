package jobcmd

import (
	"cmp"
	"strings"
)

const anyPart = "-" // stands for any part of a parent

// parentOfJobs returns the parent of the jobs of an app, or of all apps if it is empty.
func parentOfJobs(namespace, app string) string {
	return "namespaces/" + namespace + "/apps/" + cmp.Or(app, anyPart)
}

// beginsWith returns the term of a filter that a field begins with text.
func beginsWith(field, text string) string { return field + " = " + quoted(text+"*") }

// keyCharacters are the characters of the keys of labels.
const keyCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"

// hasLabel returns the term of a filter for a label as --label has it; ok is false if that is malformed.
func hasLabel(text string) (term string, ok bool) {
	key, value, valued := strings.Cut(text, "=")
	operator := " = "
	if k, negated := strings.CutSuffix(key, "!"); negated && valued {
		key, operator = k, " != "
	}
	switch {
	case key == "" || strings.Trim(key, keyCharacters) != "":
		return "", false
	case !valued:
		return "labels." + key + " = *", true
	default:
		return "labels." + key + operator + quoted(strings.TrimPrefix(value, "=")), true // kubectl takes ==, too
	}
}

// quoted returns text in the quotes of a filter.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
