package management

import (
	"crypto/sha256"
	"encoding/base64"
)

// tokenVersion is the first byte of a page token.
const tokenVersion = 1

// queryHash is how many bytes of the hash of a query a page token has.
const queryHash = 8

// encodePageToken returns the token of the page behind a cursor. query is what has to stay the same
// from page to page.
func encodePageToken(cursor []byte, query string) string {
	if cursor == nil {
		return ""
	}
	b := append([]byte{tokenVersion}, hashQuery(query)...)
	return base64.RawURLEncoding.EncodeToString(append(b, cursor...))
}

// decodePageToken returns the cursor of a token; nil for the first page.
func decodePageToken(token, query string) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= 1+queryHash || b[0] != tokenVersion {
		return nil, invalid("pageToken", "it is not a next_page_token of this server: begin with the first page")
	}
	if string(b[1:1+queryHash]) != string(hashQuery(query)) {
		return nil, invalid("pageToken", "it belongs to another parent or filter: keep both, or begin with the first page")
	}
	return b[1+queryHash:], nil
}

func hashQuery(query string) []byte {
	h := sha256.Sum256([]byte(query))
	return h[:queryHash]
}
