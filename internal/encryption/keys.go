package encryption

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// maxID is how long the id of a key may be, in bytes.
const maxID = 64

// Keys are the keys of a file. They are safe for concurrent use.
type Keys struct {
	file string

	mu   sync.RWMutex // guards the fields below
	text []byte       // from which ring was parsed
	ring ring
}

// A ring is a set of keys. It is immutable.
type ring struct {
	current string
	keys    map[string]*secretKey
}

// A secretKey is one line of a file. It is safe for concurrent use.
type secretKey struct {
	secret [keyBytes]byte
	cipher tink.AEAD
}

// Open reads a key file.
func Open(file string) (*Keys, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Keys{file: file, text: text, ring: r}, nil
}

// Reload reads the file again. If the key that encrypts changes, it first calls before with the id
// of the new one. It changes nothing if before fails, or if the file is invalid or lacks a key that
// it had.
func (k *Keys) Reload(before func(id string) error) error {
	text, err := os.ReadFile(k.file)
	if err != nil {
		return err
	}
	k.mu.RLock()
	same, old := bytes.Equal(text, k.text), k.ring
	k.mu.RUnlock()
	if same {
		return nil
	}
	r, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", k.file, err)
	}
	for id, was := range old.keys {
		switch now := r.keys[id]; {
		case now == nil:
			return fmt.Errorf("%s: the key %q is missing, and jobs may be encrypted with it: put it back", k.file, id)
		case now.secret != was.secret:
			return fmt.Errorf("%s: the key %q has changed, and jobs may be encrypted with the old one: restore it, and give the new one another id", k.file, id)
		}
	}
	if r.current != old.current {
		if err := before(r.current); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text, k.ring = text, r
	return nil
}

// parse parses a key file.
func parse(text []byte) (ring, error) {
	r := ring{keys: make(map[string]*secretKey)}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, encoded, _ := strings.Cut(line, " ")
		// Errors never contain the line: it is a secret, or part of one.
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		switch {
		case err != nil || len(secret) != keyBytes:
			return ring{}, fmt.Errorf("line %d is not an id and %d bytes in base64", number, keyBytes)
		case len(id) > maxID:
			return ring{}, fmt.Errorf("line %d has an id of more than %d bytes", number, maxID)
		case r.keys[id] != nil:
			return ring{}, fmt.Errorf("line %d repeats the id %q", number, id)
		}
		if r.current == "" {
			r.current = id
		}
		k := &secretKey{secret: [keyBytes]byte(secret)}
		if k.cipher, err = newCipher(k.secret); err != nil {
			return ring{}, fmt.Errorf("line %d: %w", number, err)
		}
		r.keys[id] = k
	}
	if r.current == "" {
		return ring{}, errors.New("the file has no key")
	}
	return r, nil
}

// Current returns the id of the key that encrypts.
func (k *Keys) Current() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.current
}

// Has reports whether there is a key with this id.
func (k *Keys) Has(id string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.keys[id] != nil
}

// Check returns a check value that distinguishes the key with this id from other keys, and reveals
// nothing else about it. It is nil if there is no such key.
func (k *Keys) Check(id string) []byte {
	k.mu.RLock()
	key := k.ring.keys[id]
	k.mu.RUnlock()
	if key == nil {
		return nil
	}
	const size = 8 // bytes
	h := hmac.New(sha256.New, key.secret[:])
	_, _ = h.Write([]byte("carillon: which key is this?"))
	return h.Sum(nil)[:size]
}

// overhead is the size of an envelope without its content and the id of its key.
const overhead = 1 + nonceBytes + tagBytes

// Seal encrypts plain and appends its envelope to dst. The owner is authenticated data: the
// envelope opens only for the same owner.
func (k *Keys) Seal(dst, plain, owner []byte) []byte {
	k.mu.RLock()
	id, key := k.ring.current, k.ring.keys[k.ring.current]
	k.mu.RUnlock()
	sealed, err := key.cipher.Encrypt(plain, owner)
	if err != nil {
		panic(fmt.Sprintf("encrypt %d bytes: %v", len(plain), err)) // it fails only for more than 64 GiB
	}
	dst = append(dst, byte(len(id)))
	dst = append(dst, id...)
	return append(dst, sealed...)
}

// Size returns the size of the envelope of so many bytes.
func (k *Keys) Size(plain int) int { return overhead + len(k.Current()) + plain }

// KeyID returns the id of the key of an envelope, or "" if it is invalid.
func KeyID(envelope []byte) string {
	if len(envelope) == 0 || len(envelope) < 1+int(envelope[0]) {
		return ""
	}
	return string(envelope[1 : 1+envelope[0]])
}

var errEnvelope = errors.New("it is damaged, or belongs to another job")

// Open decrypts an envelope of owner. The result shares no memory with it.
func (k *Keys) Open(envelope, owner []byte) ([]byte, error) {
	if len(envelope) == 0 || len(envelope) < overhead+int(envelope[0]) {
		return nil, errEnvelope
	}
	id, rest := KeyID(envelope), envelope[1+envelope[0]:]
	k.mu.RLock()
	key := k.ring.keys[id]
	k.mu.RUnlock()
	if key == nil {
		return nil, fmt.Errorf("it is encrypted with the key %q, which is not in %s", id, k.file)
	}
	plain, err := key.cipher.Decrypt(rest, owner)
	if err != nil {
		return nil, errEnvelope
	}
	return plain, nil
}
