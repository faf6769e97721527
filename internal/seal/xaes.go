package seal

import (
	"crypto/aes"
	"crypto/cipher"
)

const (
	nonceBytes = 24
	tagBytes   = 16
	gcmNonce   = 12
)

// An xaes is a key of XAES-256-GCM, as https://c2sp.org/XAES-256-GCM has it. It is safe for concurrent use.
type xaes struct {
	key  [keyBytes]byte
	main cipher.Block
	k1   [aes.BlockSize]byte
}

func newXAES(key [keyBytes]byte) *xaes {
	x := &xaes{key: key}
	x.main = block(key[:])
	x.main.Encrypt(x.k1[:], x.k1[:])
	// Twice that, in the field of 2^128 elements.
	carry := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		next := x.k1[i] >> 7
		x.k1[i] = x.k1[i]<<1 | carry
		carry = next
	}
	x.k1[len(x.k1)-1] ^= carry * 0x87
	return x
}

// block returns the cipher of a key of 32 bytes, for which there is always one.
func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return b
}

// derive returns the AES-GCM that the front of a nonce stands for.
func (x *xaes) derive(nonce *[nonceBytes]byte) cipher.AEAD {
	var key [keyBytes]byte
	for half := range 2 {
		m := key[half*aes.BlockSize:][:aes.BlockSize]
		copy(m, []byte{0, byte(half + 1), 'X', 0})
		copy(m[4:], nonce[:gcmNonce])
		for i := range m {
			m[i] ^= x.k1[i]
		}
		x.main.Encrypt(m, m)
	}
	a, err := cipher.NewGCM(block(key[:]))
	if err != nil {
		panic(err) // as for block
	}
	return a
}

func (x *xaes) seal(dst []byte, nonce *[nonceBytes]byte, plain, extra []byte) []byte {
	return x.derive(nonce).Seal(dst, nonce[gcmNonce:], plain, extra)
}

func (x *xaes) open(nonce *[nonceBytes]byte, sealed, extra []byte) ([]byte, error) {
	return x.derive(nonce).Open(nil, nonce[gcmNonce:], sealed, extra)
}
