package management

import (
	"fmt"
	"slices"
	"strings"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// A filter is terms that all have to match. See ListJobsRequest in the definition.
type filter struct {
	terms []term
	words []string // texts that the name contains
}

// A term compares a field of a job with a text.
type term struct {
	field    string
	label    string // the key, if the field is a label
	negated  bool
	contains bool // rather than equals
	prefix   bool // the text is the beginning
	text     string
}

const (
	fieldNamespace = "namespace"
	fieldApp       = "app"
	fieldActorType = "actorType"
	fieldActor     = "actor"
	fieldName      = "name"
	fieldKind      = "kind"
	fieldState     = "state"
	fieldCondition = "condition"

	fieldDescription = "description"
	labelFields      = "labels." // and the key of a label
)

// filterFields returns the fields that a term may compare.
func filterFields() []string {
	return []string{fieldNamespace, fieldApp, fieldActorType, fieldActor, fieldName, fieldKind, fieldState, fieldCondition, fieldDescription}
}

// parseFilter parses a filter of jobs.
func parseFilter(text string) (filter, error) { return parseTerms(text, newTerm) }

// parseTerms parses a filter whose terms newTerm makes of a field, an operator and a value.
func parseTerms(text string, newTerm func(field, operator string, value lexeme) (term, error)) (filter, error) {
	var f filter
	lexemes, err := splitFilter(text)
	if err != nil {
		return f, err
	}
	for first := true; len(lexemes) > 0; first = false {
		if !first && lexemes[0].is("AND") {
			if lexemes = lexemes[1:]; len(lexemes) == 0 {
				return f, invalid("filter", "a term is missing after AND")
			}
		}
		if lexemes[0].is("OR") || lexemes[0].is("NOT") {
			return f, invalid("filter", lexemes[0].text+" is not supported: terms are joined by AND, and != negates one")
		}
		word := lexemes[0]
		if lexemes = lexemes[1:]; word.operator {
			return f, invalid("filter", fmt.Sprintf("a field is missing before %s", word.text))
		}
		if len(lexemes) == 0 || !lexemes[0].operator {
			f.words = append(f.words, word.text)
			continue
		}
		if len(lexemes) == 1 || lexemes[1].operator {
			return f, invalid("filter", fmt.Sprintf("a value is missing after %s %s", word.text, lexemes[0].text))
		}
		t, err := newTerm(word.text, lexemes[0].text, lexemes[1])
		if err != nil {
			return f, err
		}
		f.terms, lexemes = append(f.terms, t), lexemes[2:]
	}
	return f, nil
}

// newTerm returns the term of a field of a job, an operator and a value.
func newTerm(field, operator string, value lexeme) (term, error) {
	switch field {
	case fieldKind:
		return newWordTerm(field, operator, value, valuesOf(pb.Job_Kind_name))
	case fieldState, fieldCondition:
		return newWordTerm(field, operator, value, valuesOf(pb.Job_State_name))
	}
	key, isLabel := strings.CutPrefix(field, labelFields)
	switch {
	case isLabel && !job.IsLabelKey(key):
		return term{}, invalid("filter", fmt.Sprintf("%q is not the key of a label: %s", key, job.LabelKeyRule))
	case !isLabel && !slices.Contains(filterFields(), field):
		return term{}, invalid("filter", fmt.Sprintf("the field %q is not known: use one of %s, or %sKEY for a label",
			field, strings.Join(filterFields(), ", "), labelFields))
	}
	t, err := newTextTerm(field, operator, value)
	if isLabel {
		t.label = key
	}
	return t, err
}

// newTextTerm returns the term of a field whose value is any text.
func newTextTerm(field, operator string, value lexeme) (term, error) {
	t := termOf(field, operator, value)
	if !t.contains {
		t.text, t.prefix = strings.CutSuffix(t.text, "*")
	}
	if strings.Contains(t.text, "*") && !value.quoted {
		return t, invalid("filter", fmt.Sprintf("%q: a * may only end a text", value.text))
	}
	return t, nil
}

// newWordTerm returns the term of a field whose value is one of some words.
func newWordTerm(field, operator string, value lexeme, known []string) (term, error) {
	t := termOf(field, operator, value)
	if t.contains {
		return t, invalid("filter", fmt.Sprintf("%s takes = and !=", field))
	}
	if !slices.Contains(known, t.text) {
		return t, invalid("filter", fmt.Sprintf("%s has no value %q: use one of %s", field, t.text, strings.Join(known, ", ")))
	}
	return t, nil
}

func termOf(field, operator string, value lexeme) term {
	return term{field: field, negated: operator == "!=", contains: operator == ":", text: value.text}
}

// valuesOf returns the values of an enumeration, without the unspecified one, in order.
func valuesOf(names map[int32]string) (values []string) {
	for i := int32(1); names[i] != ""; i++ {
		values = append(values, names[i])
	}
	return values
}

// narrow returns s with what f requires of keys, so that fewer jobs are read.
func (f filter) narrow(s job.Selector) job.Selector {
	for _, t := range f.terms {
		if t.negated || t.contains {
			continue
		}
		switch {
		case t.field == fieldName && s.NamePrefix == "":
			s.NamePrefix = t.text
		case t.field == fieldKind && s.Kind == 0:
			s.Kind = map[string]job.Kind{pb.Job_JOB.String(): job.App, pb.Job_REMINDER.String(): job.Actor}[t.text]
		case t.field == fieldNamespace && s.Namespace == "" && !t.prefix:
			s.Namespace = t.text
		case t.field == fieldApp && s.Target == "" && s.Kind == job.App && !t.prefix:
			s.Target = t.text
		}
	}
	return s
}

// needsState reports whether a term is about the state.
func (f filter) needsState() bool {
	return slices.ContainsFunc(f.terms, func(t term) bool { return t.field == fieldState || t.field == fieldCondition })
}

// matchesStored reports whether all terms match that are not about the state.
func (f filter) matchesStored(v *engine.JobView) bool {
	for _, w := range f.words {
		if !strings.Contains(v.Key.Name, w) {
			return false
		}
	}
	for _, t := range f.terms {
		if t.field != fieldState && t.field != fieldCondition && t.matchesStored(v) == t.negated {
			return false
		}
	}
	return true
}

// matchesState reports whether the terms about the state match.
func (f filter) matchesState(s situation) bool {
	for _, t := range f.terms {
		switch t.field {
		case fieldState:
			if (s.state.String() == t.text) == t.negated {
				return false
			}
		case fieldCondition:
			has := slices.ContainsFunc(s.conditions, func(c *pb.JobCondition) bool { return c.GetType().String() == t.text })
			if has == t.negated {
				return false
			}
		}
	}
	return true
}

// matchesStored reports whether a job has the value. It has none of a label that it lacks.
func (t term) matchesStored(v *engine.JobView) bool {
	if t.label != "" {
		value, ok := v.Spec.Ext.Label(t.label)
		return ok && t.matches(value)
	}
	return t.matches(fieldOf(v, t.field))
}

func (t term) matches(value string) bool {
	switch {
	case t.contains:
		return strings.Contains(value, t.text)
	case t.prefix:
		return strings.HasPrefix(value, t.text)
	default:
		return value == t.text
	}
}

// fieldOf returns the field of a job that a term compares.
func fieldOf(v *engine.JobView, field string) string {
	actor := v.Key.Target.Kind == job.Actor
	switch field {
	case fieldNamespace:
		return v.Key.Target.Namespace
	case fieldApp:
		return v.Spec.AppID
	case fieldActorType:
		if actor {
			return v.Key.Target.Name
		}
	case fieldActor:
		return v.Key.ActorID
	case fieldName:
		return v.Key.Name
	case fieldKind:
		return kindOf(v.Key).String()
	case fieldDescription:
		return descriptionOf(v.Spec)
	}
	return ""
}

// A lexeme is a part of a filter: a word, a text in quotes, or an operator.
type lexeme struct {
	text             string
	operator, quoted bool
}

func (t lexeme) is(word string) bool { return t.text == word && !t.quoted && !t.operator }

// splitFilter splits a filter into lexemes.
func splitFilter(text string) (lexemes []lexeme, err error) {
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" {
			return lexemes, nil
		}
		switch {
		case strings.HasPrefix(text, "!="):
			lexemes, text = append(lexemes, lexeme{text: "!=", operator: true}), text[2:]
		case text[0] == '=' || text[0] == ':':
			lexemes, text = append(lexemes, lexeme{text: text[:1], operator: true}), text[1:]
		case text[0] == '"' || text[0] == '\'':
			word, rest, ok := unquote(text)
			if !ok {
				return nil, invalid("filter", "a text in quotes has no end")
			}
			lexemes, text = append(lexemes, lexeme{text: word, quoted: true}), rest
		case strings.ContainsRune("()<>!", rune(text[0])):
			return nil, invalid("filter", fmt.Sprintf("%q is not supported: put a text that contains it in quotes", text[:1]))
		default:
			end := strings.IndexAny(text, " \t=:!\"'()<>")
			if end < 0 {
				end = len(text)
			}
			lexemes, text = append(lexemes, lexeme{text: text[:end]}), text[end:]
		}
	}
}

// unquote returns the text in the quotes at the beginning of text, and what follows. A backslash
// escapes a quote or a backslash.
func unquote(text string) (word, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return b.String(), text[i+1:], true
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", false
}
