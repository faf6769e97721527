package job

import "strings"

// A Selector selects jobs by their keys. Empty fields select all.
type Selector struct {
	Kind       Kind // 0: jobs of apps, and reminders
	Namespace  string
	Target     string // an app id, or an actor type
	ActorID    string // of reminders
	NamePrefix string
}

// Selects reports whether s selects k.
func (s Selector) Selects(k Key) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return (s.Kind == 0 || s.Kind == k.Target.Kind) && is(s.Namespace, k.Target.Namespace) && is(s.Target, k.Target.Name) &&
		is(s.ActorID, k.ActorID) && strings.HasPrefix(k.Name, s.NamePrefix)
}
