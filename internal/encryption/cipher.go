package encryption

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keyBytes is the length of a key.
const keyBytes = 32

// An envelope has a random nonce before the ciphertext, and a tag after it.
const (
	nonceBytes = 24
	tagBytes   = 16
)

// newCipher returns XAES-256-GCM with a key, as in https://c2sp.org/XAES-256-GCM. 12 bytes of the
// nonce, which Tink calls the salt, select the key of a message, and 12 are its nonce for AES-GCM.
func newCipher(secret [keyBytes]byte) (tink.AEAD, error) {
	parameters, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, nonceBytes/2)
	if err != nil {
		return nil, fmt.Errorf("select the cipher: %w", err)
	}
	key, err := xaesgcm.NewKey(secretdata.NewBytesFromData(secret[:], insecuresecretdataaccess.Token{}), 0, parameters)
	if err != nil {
		return nil, fmt.Errorf("make a key of the cipher: %w", err)
	}
	m := keyset.NewManager()
	id, err := m.AddKey(key)
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	set, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	return aead.New(set)
}
