package job

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"carillon/internal/truncate"
)

// A Key names a job. It is comparable.
type Key struct {
	Target  Target
	ActorID string // of a reminder; empty for the job of an app
	Name    string
}

// String returns Dapr's composite name of the job, which appears in its error texts (scheduler
// specification §1.2). Two keys may have the same one.
func (k Key) String() string {
	if k.Target.Kind == Actor {
		return k.Target.String() + "||" + k.ActorID + "||" + k.Name
	}
	return k.Target.String() + "||" + k.Name
}

// Attrs returns the log attributes that identify the job.
func (k Key) Attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 8) // with capacity for what a line adds
	namespace, name := slog.String("namespace", k.Target.Namespace), slog.String("job", k.Name)
	if k.Target.Kind == Actor {
		return append(attrs, slog.String("actor_type", k.Target.Name), slog.String("actor_id", k.ActorID), namespace, name)
	}
	return append(attrs, slog.String("app", k.Target.Name), namespace, name)
}

// MaxName is the most bytes of a composite name (scheduler specification §4.8).
const MaxName = 512

// forbidden are the characters that no part of a name may contain.
const forbidden = `/\#?`

// Check returns an [*InvalidError] with Dapr's text if k breaks a rule of scheduler specification
// §4.8.
func (k Key) Check() error {
	name := k.String()
	var reason string
	switch {
	case len(name) > MaxName:
		reason = fmt.Sprintf("must be at most %d characters", MaxName)
	case strings.ContainsAny(name, forbidden):
		reason = `must not contain '/', '\', '#' or '?'`
	case strings.ContainsFunc(name, unicode.IsControl):
		reason = "must not contain control characters"
	default:
		return nil
	}
	return &InvalidError{Field: "name", Reason: fmt.Sprintf("%s%q: %s", InvalidName, truncate.Text(name), reason), Help: k.help()}
}

// help says which part of k breaks a rule, without Dapr's prefix.
func (k Key) help() string {
	parts := [...]struct{ what, text string }{
		{"the name of the job", k.Name}, {"the actor id", k.ActorID}, {"the app id", k.Target.Name}, {"the namespace", k.Target.Namespace},
	}
	if k.Target.Kind == Actor {
		parts[2].what = "the actor type"
	}
	for _, p := range parts {
		if i := strings.IndexFunc(p.text, func(r rune) bool { return strings.ContainsRune(forbidden, r) || unicode.IsControl(r) }); i >= 0 {
			r, _ := utf8.DecodeRuneInString(p.text[i:])
			return fmt.Sprintf("%s is %.100q: leave out the %q, or write a hyphen", p.what, p.text, r)
		}
	}
	longest := slices.MaxFunc(parts[:], func(a, b struct{ what, text string }) int { return cmp.Compare(len(a.text), len(b.text)) })
	return fmt.Sprintf("%s has %d bytes: shorten it by %d", longest.what, len(longest.text), len(k.String())-MaxName)
}
