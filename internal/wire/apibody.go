package wire

import (
	"bytes"
	"encoding/json"
	"errors"
)

// unwrap finds the object "job" at the top level of a body that has no field of the flat form. Proto-JSON has read and
// accepted the body already, so that an error here is a field given twice, or a difference between two parsers.
func unwrap(body []byte) (wrapped []byte, form BodyForm, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if _, err := dec.Token(); err != nil {
		return nil, 0, err
	}
	form = FlatBody // {} is an empty message
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, 0, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, 0, err
		}
		switch {
		case key == "job" && wrapped != nil:
			return nil, 0, errors.New(`duplicate field "job"`)
		case key == "job" && value[0] == '{':
			wrapped, form = value, WrappedBody
		case form == FlatBody:
			form = NeitherBody
		}
	}
	return wrapped, form, nil
}
