package record

import "carillon/internal/encryption"

// sealedSpecVersion begins a spec that is sealed in an envelope. The envelope is bound to its key
// in the store: one that was moved to another job does not open.
const sealedSpecVersion = 2

// IsSealed reports whether a stored spec is sealed.
func IsSealed(spec []byte) bool { return len(spec) > 0 && spec[0] == sealedSpecVersion }

// SealedWith returns the id of the encryption key with which a stored spec is sealed, or "".
func SealedWith(spec []byte) string {
	if !IsSealed(spec) {
		return ""
	}
	return encryption.KeyID(spec[1:])
}

// Seal returns spec, which is stored under key, sealed with the current one of keys.
func Seal(keys *encryption.Keys, key, spec []byte) []byte {
	return keys.Seal(append(make([]byte, 0, sealedSize(keys, len(spec))), sealedSpecVersion), spec, key)
}

// sealedSize returns how many bytes a spec of n bytes has when it is sealed.
func sealedSize(keys *encryption.Keys, n int) int { return 1 + keys.Size(n) }

// Open returns the spec in an envelope that is stored under key. The value must be sealed.
func Open(keys *encryption.Keys, key, value []byte) ([]byte, error) {
	return keys.Open(value[1:], key)
}
