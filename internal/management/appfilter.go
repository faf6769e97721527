package management

import (
	"fmt"
	"slices"
	"strings"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

const (
	fieldConnected = "connected"
	fieldOverdue   = "overdue"
)

// An appFilter is a filter of apps. See ListAppsRequest in the definition.
type appFilter struct{ filter }

// parseAppFilter parses a filter of apps.
func parseAppFilter(text string) (appFilter, error) {
	f, err := parseTerms(text, newAppTerm)
	return appFilter{f}, err
}

// newAppTerm returns the term of a field of an app, an operator and a value.
func newAppTerm(field, operator string, value lexeme) (term, error) {
	switch field {
	case fieldNamespace, fieldName:
		return newTextTerm(field, operator, value)
	case fieldKind:
		return newWordTerm(field, operator, value, valuesOf(pb.App_Kind_name))
	case fieldConnected, fieldOverdue:
		return newWordTerm(field, operator, value, []string{"true", "false"})
	}
	known := []string{fieldNamespace, fieldName, fieldKind, fieldConnected, fieldOverdue}
	return term{}, invalid("filter", fmt.Sprintf("the field %q is not known: use one of %s", field, strings.Join(known, ", ")))
}

// narrow returns s with what f requires of targets, so that fewer are read.
func (f appFilter) narrow(s job.Selector) job.Selector {
	for _, t := range f.terms {
		switch {
		case t.negated || t.contains || t.prefix:
		case t.field == fieldNamespace && s.Namespace == "":
			s.Namespace = t.text
		case t.field == fieldKind:
			s.Kind = map[string]job.Kind{pb.App_APP.String(): job.App, pb.App_ACTOR_TYPE.String(): job.Actor}[t.text]
		}
	}
	return s
}

// matchesTarget reports whether the terms match that are about the name.
func (f appFilter) matchesTarget(t job.Target) bool {
	if slices.ContainsFunc(f.words, func(w string) bool { return !strings.Contains(t.Name, w) }) {
		return false
	}
	values := map[string]string{fieldNamespace: t.Namespace, fieldName: t.Name, fieldKind: appKindOf(t).String()}
	return f.matches(values)
}

// matchesApp reports whether the other terms match.
func (f appFilter) matchesApp(a *pb.App) bool {
	return f.matches(map[string]string{
		fieldConnected: fmt.Sprint(a.GetConnected()), fieldOverdue: fmt.Sprint(a.GetOverdue().GetCount() > 0),
	})
}

// matches reports whether the terms about these fields match.
func (f appFilter) matches(values map[string]string) bool {
	for _, t := range f.terms {
		if v, ok := values[t.field]; ok && t.matches(v) == t.negated {
			return false
		}
	}
	return true
}
