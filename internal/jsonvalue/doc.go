// Package jsonvalue converts JSON to an encoded google.protobuf.Value and back, in one pass and
// without messages in between. jsontext scans the JSON.
//
// The way of proto-JSON, by reflection, takes many times as long, and every schedule call and every
// trigger needs a conversion. This package handles only simple values and reports all others; its
// caller then uses proto-JSON. So proto-JSON alone decides what is accepted, and with which error
// the rest is refused.
//
// A value remembers how its JSON was written: see [Parser.Data]. [Append] returns that text,
// without white space between tokens.
package jsonvalue
