package scheduler

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// A page token is the base64url of a version, a hash of what the list selects, and the position of
// the page in it. A position is only ever used within the prefix of its request: a forged token
// shows no other jobs.
const (
	pageTokenVersion = 1
	pageTokenHash    = 8 // bytes
)

// pageToken returns the token of the page at a position in the list of p.
func pageToken(position []byte, p job.Prefix) string {
	b := append([]byte{pageTokenVersion}, prefixHash(p)...)
	return base64.RawURLEncoding.EncodeToString(append(b, position...))
}

// parsePageToken returns the position in a token of the list of p; nil if there is no token.
func parsePageToken(token string, p job.Prefix) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	switch {
	case err != nil || len(b) < 1+pageTokenHash || b[0] != pageTokenVersion:
		return nil, status.Errorf(codes.InvalidArgument,
			"the page token %.100q is malformed: give the one of the page before, or none for the first page", token)
	case string(b[1:1+pageTokenHash]) != string(prefixHash(p)):
		return nil, status.Errorf(codes.InvalidArgument,
			"the page token %.100q is of a list of another app or name prefix: all pages of a list need the same ones", token)
	}
	return b[1+pageTokenHash:], nil
}

// prefixHash returns a hash of p.
func prefixHash(p job.Prefix) []byte {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q %q %q", p.Kind, p.Namespace, p.Parts, p.Rest)
	return h.Sum(nil)
}
