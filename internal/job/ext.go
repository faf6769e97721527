package job

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"carillon/internal/truncate"
)

// Limits of an [Ext].
const (
	MaxLabels      = 32   // labels of a job
	MaxLabelBytes  = 2048 // bytes of all keys and values of a job
	MaxDescription = 1024 // bytes
)

// An Ext is what a job has beyond Dapr's fields: labels to select it by, and a description for
// people. [NewExt] checks it. Nothing fires earlier, later or differently because of it.
type Ext struct {
	Labels      []Label // in the order of their keys, which differ
	Description string
}

// NewExt returns an ext, or nil if there is nothing in it. The error is an [*InvalidError] that
// names the field, the value and the rule that it breaks.
func NewExt(labels map[string]string, description string) (*Ext, error) {
	if len(labels) == 0 && description == "" {
		return nil, nil
	}
	e := &Ext{Description: description}
	bytes := 0
	for k, v := range labels {
		e.Labels = append(e.Labels, Label{k, v})
		bytes += len(k) + len(v)
	}
	slices.SortFunc(e.Labels, func(a, b Label) int { return cmp.Compare(a.Key, b.Key) })
	switch {
	case len(labels) > MaxLabels:
		return nil, InvalidExt("labels", fmt.Sprintf("there are %d labels", len(labels)),
			fmt.Sprintf("give %d at most", MaxLabels))
	case bytes > MaxLabelBytes:
		return nil, InvalidExt("labels", fmt.Sprintf("the labels have %d bytes", bytes),
			fmt.Sprintf("keys and values may have %d bytes in all", MaxLabelBytes))
	case len(description) > MaxDescription:
		return nil, InvalidExt("description", fmt.Sprintf("it has %d bytes", len(description)),
			fmt.Sprintf("give %d at most", MaxDescription))
	case !utf8.ValidString(description):
		return nil, InvalidExt("description", "it is not UTF-8", "give a text")
	}
	for _, l := range e.Labels {
		if !IsLabelKey(l.Key) {
			return nil, InvalidExt("labels", fmt.Sprintf("the key %q is malformed", truncate.To(l.Key, maxShown)), LabelKeyRule)
		}
		if l.Value != "" && !isLabelName(l.Value) {
			return nil, InvalidExt("labels", fmt.Sprintf("the value %q of %q is malformed", truncate.To(l.Value, maxShown), l.Key),
				"a value is empty, or "+labelNameRule)
		}
	}
	return e, nil
}

// maxShown is how many bytes of a malformed key or value an error repeats.
const maxShown = 100

// InvalidExt returns the error of a field of an ext; the field is empty for the ext itself.
func InvalidExt(field, reason, help string) *InvalidError {
	path := "ext"
	if field != "" {
		path += "." + field
	}
	return &InvalidError{Field: path, Reason: path + ": " + reason, Help: help}
}

// Size returns how many bytes the labels and the description have.
func (e *Ext) Size() int {
	n := len(e.Description)
	for _, l := range e.Labels {
		n += len(l.Key) + len(l.Value)
	}
	return n
}

// Label returns the value of the label with this key; ok is false if there is none, or e is nil.
func (e *Ext) Label(key string) (value string, ok bool) {
	if e == nil {
		return "", false
	}
	i, ok := slices.BinarySearchFunc(e.Labels, key, func(l Label, key string) int { return cmp.Compare(l.Key, key) })
	if !ok {
		return "", false
	}
	return e.Labels[i].Value, true
}

// LabelMap returns the labels by their keys; nil if there are none, or e is nil.
func (e *Ext) LabelMap() map[string]string {
	if e == nil || len(e.Labels) == 0 {
		return nil
	}
	labels := make(map[string]string, len(e.Labels))
	for _, l := range e.Labels {
		labels[l.Key] = l.Value
	}
	return labels
}
