package job

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

// A Target is what a job calls: an app, or an actor type. All triggers of a target go to the same
// sidecars. It is comparable.
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
