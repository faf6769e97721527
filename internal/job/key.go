package job

import (
	"fmt"
	"strings"
	"unicode"

	"carillon/internal/brief"
)

// Kind says what sort of target a job calls.
type Kind uint8

const (
	// App is an application, named by its app id: the target of a job.
	App Kind = 1
	// Actor is an actor type of a namespace: the target of a reminder.
	Actor Kind = 2
)

// String returns the word for k that metrics and logs use.
func (k Kind) String() string {
	switch k {
	case App:
		return "job"
	case Actor:
		return "actor"
	default:
		return "unknown"
	}
}

// A Target is what triggers are routed to: all jobs of a target go to the same sidecars. It is comparable.
type Target struct {
	Kind      Kind
	Namespace string
	Name      string // the app id, or the actor type
}

// String returns Dapr's prefix of the names of t's jobs, without the last separator.
func (t Target) String() string {
	if t.Kind == Actor {
		return "actorreminder||" + t.Namespace + "||" + t.Name
	}
	return "app||" + t.Namespace + "||" + t.Name
}

// A Key names a job. It is comparable.
type Key struct {
	Target  Target
	ActorID string // of a reminder; empty for the job of an app
	Name    string
}

// String returns Dapr's composite name of the job, which appears in its error texts
// (scheduler specification §1.2). It is for people: two keys may share one.
func (k Key) String() string {
	if k.Target.Kind == Actor {
		return k.Target.String() + "||" + k.ActorID + "||" + k.Name
	}
	return k.Target.String() + "||" + k.Name
}

// MaxName is the most bytes that a composite name may have (scheduler specification §4.8).
const MaxName = 512

// Check returns an [*InvalidError] with Dapr's text where k breaks a rule of scheduler specification §4.8.
func (k Key) Check() error {
	name := k.String()
	var reason string
	switch {
	case len(name) > MaxName:
		reason = fmt.Sprintf("must be at most %d characters", MaxName)
	case strings.ContainsAny(name, `/\#?`):
		reason = `must not contain '/', '\', '#' or '?'`
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "must not contain control characters"
	default:
		return nil
	}
	return &InvalidError{Field: "name", Reason: fmt.Sprintf("%s%q: %s", InvalidName, brief.Text(name), reason)}
}

// A Prefix names many keys: those of a kind and a namespace whose further parts (the target's name; for a reminder the
// actor id; the job's name) begin with Parts, and whose next part begins with the bytes of Rest.
type Prefix struct {
	Kind      Kind
	Namespace string
	Parts     []string
	Rest      string
}
