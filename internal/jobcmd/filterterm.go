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

// quoted returns text in the quotes of a filter.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
