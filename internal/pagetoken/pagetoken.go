// Package pagetoken makes opaque tokens of the pages of a list (AIP-158).
package pagetoken

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// A token is the base64url of a version, a hash of what the list selects, and the position of the
// page in the list.
const (
	version   = 1
	hashBytes = 8
)

// ErrMalformed is the error of a token that Encode has not made.
var ErrMalformed = errors.New("the page token is malformed")

// ErrOtherList is the error of a token of a list that selects something else.
var ErrOtherList = errors.New("the page token is of another list")

// Encode returns the token of the page at a position, which must not be empty. list is what all
// requests for the pages of the list have in common.
//
// A token is not signed: a client can forge any position.
func Encode(position []byte, list string) string {
	b := append([]byte{version}, hash(list)...)
	return base64.RawURLEncoding.EncodeToString(append(b, position...))
}

// Decode returns the position in a token; nil if token is empty: the first page. Its error is
// [ErrMalformed] or [ErrOtherList].
func Decode(token, list string) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= 1+hashBytes || b[0] != version {
		return nil, ErrMalformed
	}
	if string(b[1:1+hashBytes]) != string(hash(list)) {
		return nil, ErrOtherList
	}
	return b[1+hashBytes:], nil
}

func hash(list string) []byte {
	h := sha256.Sum256([]byte(list))
	return h[:hashBytes]
}
