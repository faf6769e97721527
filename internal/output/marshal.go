package output

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	yaml "sigs.k8s.io/yaml/goyaml.v2"
)

// elements returns all as values that marshalJSON and marshalYAML render as a list, which is never null.
func elements[T any](all []T) ([]any, error) {
	list := make([]any, 0, len(all))
	for _, one := range all {
		element, err := plain(one)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}

// plain returns one for package json, which does not know protobuf's JSON mapping.
func plain(one any) (any, error) {
	m, ok := one.(proto.Message)
	if !ok {
		return one, nil
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("print as JSON: %w", err)
	}
	return json.RawMessage(text), nil
}

// marshalJSON returns one as indented JSON.
func marshalJSON(one any) ([]byte, error) {
	one, err := plain(one)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(one); err != nil {
		return nil, fmt.Errorf("print as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// marshalYAML returns the fields of JSON as YAML, in the same order.
func marshalYAML(one any) ([]byte, error) {
	text, err := marshalJSON(one)
	if err != nil {
		return nil, err
	}
	if text[0] == '[' {
		list := []yaml.MapSlice{}
		if err := yaml.Unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("print as YAML: %w", err)
		}
		return yaml.Marshal(list)
	}
	var object yaml.MapSlice
	if err := yaml.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("print as YAML: %w", err)
	}
	return yaml.Marshal(object)
}
