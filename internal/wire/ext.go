package wire

import (
	"fmt"

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
	"carillon/internal/suggest"
	"carillon/internal/truncate"
)

// maxShownValue is how many bytes of a wrong value an error repeats.
const maxShownValue = 100

// findExt returns the ext of a job from a body that proto-JSON has accepted; fields is the object of
// the body that has the fields of the job. It returns nil if there is none.
func findExt(body, fields []byte, form BodyForm) (*job.Ext, error) {
	if form == WrappedBody && jsonvalue.Member(body, "ext") != nil {
		return nil, job.InvalidExt("", `it stands beside the object "job"`, `move it into "job", to the other fields`)
	}
	var found []byte
	number := 0
	jsonvalue.Members(fields, func(key, value []byte) {
		if string(key) == "ext" {
			found = value
			number++
		}
	})
	switch number {
	case 0:
		return nil, nil
	case 1:
		return parseExt(found)
	default:
		return nil, job.InvalidExt("", "it is there twice", "give it once")
	}
}

// parseExt returns the ext in a JSON value, or nil if there is nothing in it. Null is absent, as in
// the rest of a job. The error is a [*job.InvalidError].
func parseExt(text []byte) (*job.Ext, error) {
	var labels map[string]string
	var description string
	err := eachField("", text, func(key string, value []byte) (err error) {
		switch key {
		case "labels":
			labels, err = parseLabels(value)
		case "description":
			description, err = parseText("description", "it", value)
		default:
			key = truncate.To(key, maxShownValue)
			known := []string{"labels", "description"}
			help := "there are labels and description"
			if near, ok := suggest.Nearest(key, known); ok {
				help = fmt.Sprintf("did you mean %q?", near)
			}
			err = job.InvalidExt(key, fmt.Sprintf("there is no field %q", key), help)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return job.NewExt(labels, description)
}

// parseLabels returns the labels in a JSON value.
func parseLabels(text []byte) (map[string]string, error) {
	labels := map[string]string{}
	err := eachField("labels", text, func(key string, value []byte) (err error) {
		labels[key], err = parseText("labels", fmt.Sprintf("the value of %q", truncate.To(key, maxShownValue)), value)
		return err
	})
	return labels, err
}

// eachField calls f for each field of a JSON object until f returns an error. The object is the
// field of an ext with this name, or the ext itself, and may be null. No key may be there twice.
func eachField(name string, text []byte, f func(key string, value []byte) error) error {
	switch {
	case string(text) == "null":
		return nil
	case text[0] != '{':
		return job.InvalidExt(name, fmt.Sprintf("it is %s", truncate.To(string(text), maxShownValue)), `give an object, such as {"labels": {"team": "billing"}}`)
	}
	var err error
	seen := map[string]bool{}
	jsonvalue.Members(text, func(b, value []byte) {
		key := string(b)
		switch {
		case err != nil:
		case len(seen) == job.MaxLabels: // an ext itself has fewer fields
			err = job.InvalidExt(name, fmt.Sprintf("there are more than %d labels", job.MaxLabels), "give fewer")
		case seen[key]:
			err = job.InvalidExt(name, fmt.Sprintf("the key %q is there twice", truncate.To(key, maxShownValue)), "give each key once")
		default:
			seen[key] = true
			err = f(key, value)
		}
	})
	return err
}

// parseText returns the text in a JSON value of a field of an ext; what names it in the error.
func parseText(field, what string, value []byte) (string, error) {
	if string(value) == "null" && field == "description" {
		return "", nil
	}
	p := jsonvalue.NewAcceptedParser(value, nil, len(value))
	defer p.Free()
	text, _, ok := p.Text()
	if !ok {
		return "", job.InvalidExt(field, fmt.Sprintf("%s is %s", what, truncate.To(string(value), maxShownValue)), "give a text in quotes")
	}
	return string(text), nil
}

// An apiExt is the ext of a job in the JSON of the API.
type apiExt struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Description string            `json:"description,omitempty"`
}
