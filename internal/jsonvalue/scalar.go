package jsonvalue

import (
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// appendText appends a string, with escapes where JSON needs them.
func appendText(b, text []byte) (_ []byte, ok bool) {
	b, err := jsontext.AppendQuote(b, text)
	return b, err == nil
}

// appendNumber appends a number, and reports whether JSON can represent it.
func appendNumber(b []byte, n float64) (_ []byte, ok bool) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return b, false
	}
	return jsontext.AppendFloat(b, n, 64), true
}
