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

// The cipher's own bytes in an envelope: a random nonce in front of the ciphertext, and a tag behind it.
const (
	nonceBytes = 24
	tagBytes   = 16
)

// newCipher returns XAES-256-GCM with a key, as https://c2sp.org/XAES-256-GCM has it: of the nonce 12 bytes, which Tink
// calls the salt, select the key of a message, and 12 are that message's nonce for AES-GCM.
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
