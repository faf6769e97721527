package jsonvalue

import "google.golang.org/protobuf/encoding/protowire"

const (
	maxDepth  = 100 // levels of nested values
	maxFields = 64  // of an object that proto-JSON has not accepted
)

// The fields of google.protobuf.Value, as tags: numbers 1 to 6, each with the type that it has on
// the wire.
const (
	nullTag   = 1<<3 | byte(protowire.VarintType)
	numberTag = 2<<3 | byte(protowire.Fixed64Type)
	stringTag = 3<<3 | byte(protowire.BytesType)
	boolTag   = 4<<3 | byte(protowire.VarintType)
	objectTag = 5<<3 | byte(protowire.BytesType)
	listTag   = 6<<3 | byte(protowire.BytesType)

	elementTag = 1<<3 | byte(protowire.BytesType) // of a list; an entry of an object; the key of an entry
	entryTag   = 2<<3 | byte(protowire.BytesType) // the value of an entry
)

// A google.protobuf.Value has a float64 for every number, a text without escapes for every string,
// and no order of the keys of an object. Unknown fields of the message hold what it loses of its
// JSON. Readers skip unknown fields, so that Dapr's programs read the same value. Schedulers store
// data byte for byte.
//
// A number or a string that would be rendered differently than it was written is followed by its
// spelling: its source text. The spelling of a key precedes the value of the entry, because the
// google-protobuf of JavaScript accepts only a key and a value there. If keys are not sorted, the
// order note follows the outermost value: entries are in source order. A spelling is valid only if
// it parses to exactly the value that it belongs to, because a program may have changed that value
// and kept unknown fields.
const (
	spellingTag = "\x82\x7d"     // of field 2000, bytes
	orderNote   = "\x88\x7d\x01" // field 2001, true
	keyTag      = "\x92\x7d"     // of field 2002, bytes
)

// maxSpelled is how many bytes data may have with its spellings; larger data gets none. A scheduler
// of Dapr accepts 2 MiB for a whole job, and spellings must not make a job too large for it.
const maxSpelled = 2<<20 - 16<<10
