package apiclient

import (
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/exit"
)

// CheckParts returns an error for the first flag whose value cannot be a part of a name. It takes pairs of a flag and
// its value.
func CheckParts(flagsAndValues ...string) error {
	for pair := range slices.Chunk(flagsAndValues, 2) {
		if strings.Contains(pair[1], "/") {
			return exit.Usagef("%s %s: it must not have a slash", pair[0], pair[1])
		}
	}
	return nil
}

// InFlags returns err in the words of the command line, if it is about a field of a request.
func InFlags(err error) error {
	if status.Code(err) != codes.InvalidArgument {
		return err
	}
	text := status.Convert(err).Message()
	if about, ok := strings.CutPrefix(text, "filter: "); ok {
		text = "--filter: " + about
	}
	return exit.Usagef("%s", text)
}

// Quoted returns text in the quotes of a filter.
func Quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
