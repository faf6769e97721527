package memory

import (
	"fmt"
	"strings"
)

// A FloorError means that a limit is too small for the kind of process.
type FloorError struct {
	Limit Limit
	Kind  ProcessKind
}

func (e *FloorError) Error() string {
	fix := "raise the limit of the container, or give " + Flag + " if it does not hold for this process"
	if e.Limit.Source == Flag {
		fix = "give " + Flag + " at least that"
	} else if strings.HasPrefix(e.Limit.Source, "default") {
		fix = "give " + Flag + " if the machine can spare it"
	}
	return fmt.Sprintf("the memory limit is %s (%s), and %s needs at least %s: %s",
		Format(e.Limit.Bytes), e.Limit.Source, e.Kind, Format(e.Kind.Floor()), fix)
}
