// Package encryption encrypts data at rest, with keys from a file.
//
// [Keys.Seal] makes an envelope: the id of its key, a nonce, and the ciphertext. The cipher is
// XAES-256-GCM (C2SP): AES-256-GCM with a key that is derived for each envelope from a random nonce
// of 192 bits, so that the number of envelopes of a key is practically unlimited. AES-GCM alone
// allows four thousand million random nonces. The owner of an envelope is authenticated with it: an
// envelope that was moved to another owner does not open.
//
// # The file
//
// Each line has a key: its id, blanks, and 32 bytes in base64. The first key encrypts; all of them
// decrypt. Lines that begin with # are comments. To rotate the key, insert a new line before the
// others, and keep them: the program reads the file again while it runs ([Keys.Reload]). A key must
// not be removed, because data that was encrypted with it would be lost.
package encryption
