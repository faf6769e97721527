package jsonvalue

import "slices"

// Member returns the source text of the last member of a JSON object with one of these names; nil
// if there is none. The text must be valid JSON; if it is no object, it has no members.
func Member(object []byte, names ...string) (found []byte) {
	Members(object, func(key, value []byte) {
		if slices.Contains(names, string(key)) {
			found = value
		}
	})
	return found
}

// Members calls each for each member of a JSON object, in order. The text must be valid JSON; if it
// is no object, it has no members.
func Members(object []byte, each func(key, value []byte)) {
	p := NewAcceptedParser(object, nil, 0)
	defer p.Free()
	p.Fields(func(key, _ []byte) bool {
		value, ok := p.Value()
		if ok {
			each(key, value)
		}
		return ok
	})
}
