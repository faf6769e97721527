package output

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	yaml "sigs.k8s.io/yaml/goyaml.v2"
)

// marshalJSON returns all as an indented JSON array, which is never null. It renders messages as protobuf's
// JSON mapping does.
func marshalJSON[T any](all []T) ([]byte, error) {
	elements := make([]any, 0, len(all))
	for _, one := range all {
		var element any = one
		if m, ok := element.(proto.Message); ok {
			text, err := protojson.Marshal(m)
			if err != nil {
				return nil, fmt.Errorf("print as JSON: %w", err)
			}
			element = json.RawMessage(text)
		}
		elements = append(elements, element)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(elements); err != nil {
		return nil, fmt.Errorf("print as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// marshalYAML returns the fields of JSON as YAML, in the same order.
func marshalYAML[T any](all []T) ([]byte, error) {
	text, err := marshalJSON(all)
	if err != nil {
		return nil, err
	}
	elements := []yaml.MapSlice{}
	if err := yaml.Unmarshal(text, &elements); err != nil {
		return nil, fmt.Errorf("print as YAML: %w", err)
	}
	return yaml.Marshal(elements)
}
