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

// keyBytes is the length of a key.
const keyBytes = 32

// maxID is how long the id of a key may be, in bytes.
const maxID = 64

// Keys are those of a file. They are safe for concurrent use.
type Keys struct {
	file string

	mu   sync.RWMutex // guards the fields below
	text []byte       // what the others were made from
	ring ring
}

// A ring is some keys. It is not changed once it is there.
type ring struct {
	current string
	keys    map[string]*key
}

// A key is one line of a file. It is safe for concurrent use.
type key struct {
	secret [keyBytes]byte
	cipher tink.AEAD
}

// Open reads the keys in a file.
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

// Reload reads the file again. If another key seals from now on, it calls before with its id first, and changes nothing
// if that fails; nor if the file is wrong, or lacks a key that was there.
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
			return fmt.Errorf("%s: the key %q is gone, with which jobs may be sealed: put it back", k.file, id)
		case now.secret != was.secret:
			return fmt.Errorf("%s: the key %q is another one, and jobs may be sealed with what it was: give the new one another id", k.file, id)
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

// parse reads a file of keys.
func parse(text []byte) (ring, error) {
	r := ring{keys: make(map[string]*key)}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, encoded, _ := strings.Cut(line, " ")
		// What the line says is never told: it is a secret, or half of one.
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		switch {
		case err != nil || len(secret) != keyBytes:
			return ring{}, fmt.Errorf("line %d is not an id and %d bytes in base64", number, keyBytes)
		case len(id) > maxID:
			return ring{}, fmt.Errorf("line %d has an id of more than %d bytes", number, maxID)
		case r.keys[id] != nil:
			return ring{}, fmt.Errorf("line %d has the id %q, which is there already", number, id)
		}
		if r.current == "" {
			r.current = id
		}
		k := &key{secret: [keyBytes]byte(secret)}
		if k.cipher, err = newCipher(k.secret); err != nil {
			return ring{}, fmt.Errorf("line %d: %w", number, err)
		}
		r.keys[id] = k
	}
	if r.current == "" {
		return ring{}, errors.New("there is no key in it")
	}
	return r, nil
}

// Current returns the id of the key that seals.
func (k *Keys) Current() string {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.current
}

// Has reports whether there is a key of that id.
func (k *Keys) Has(id string) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.ring.keys[id] != nil
}

// Check returns what tells the key of that id from another one of the same id, and says nothing else about it. It is nil if
// there is no such key.
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

// overhead is how much longer an envelope is than what is in it, without the id of the key.
const overhead = 1 + nonceBytes + tagBytes

// Seal appends the envelope of plain to dst. It opens only for the same owner.
func (k *Keys) Seal(dst, plain, owner []byte) []byte {
	k.mu.RLock()
	id, key := k.ring.current, k.ring.keys[k.ring.current]
	k.mu.RUnlock()
	sealed, err := key.cipher.Encrypt(plain, owner)
	if err != nil {
		panic(fmt.Sprintf("encrypt %d bytes: %v", len(plain), err)) // only of more than 64 GiB
	}
	dst = append(dst, byte(len(id)))
	dst = append(dst, id...)
	return append(dst, sealed...)
}

// Size returns how long the envelope of so many bytes is.
func (k *Keys) Size(plain int) int { return overhead + len(k.Current()) + plain }

// KeyID returns the id of the key that an envelope says it was sealed with, or "" if it says nothing.
func KeyID(envelope []byte) string {
	if len(envelope) == 0 || len(envelope) < 1+int(envelope[0]) {
		return ""
	}
	return string(envelope[1 : 1+envelope[0]])
}

var errEnvelope = errors.New("it is damaged, or belongs elsewhere")

// Open returns what an envelope of owner holds. The result shares no memory with it.
func (k *Keys) Open(envelope, owner []byte) ([]byte, error) {
	if len(envelope) == 0 || len(envelope) < overhead+int(envelope[0]) {
		return nil, errEnvelope
	}
	id, rest := KeyID(envelope), envelope[1+envelope[0]:]
	k.mu.RLock()
	key := k.ring.keys[id]
	k.mu.RUnlock()
	if key == nil {
		return nil, fmt.Errorf("it is sealed with the key %q, which is not in %s", id, k.file)
	}
	plain, err := key.cipher.Decrypt(rest, owner)
	if err != nil {
		return nil, errEnvelope
	}
	return plain, nil
}
