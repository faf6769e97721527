// Package encryption encrypts what is kept on a disk, with keys from a file.
//
// [Keys.Seal] makes an envelope: which key it was sealed with, a nonce, and the ciphertext. The cipher is XAES-256-GCM
// (C2SP): AES-256-GCM under a key that is derived for each envelope from a random nonce of 192 bits, so that one key is
// good for more envelopes than there will ever be. With AES-GCM alone, random nonces would have to end after four
// thousand million of them. What an envelope belongs to is authenticated with it: moved elsewhere, it does not open.
//
// # The file
//
// One key a line: its id, blanks, and 32 bytes in base64. The first one seals; all of them open. What begins with # is a
// remark. To change the key, put a new line in front, and leave the old one: the file is read anew while the program runs
// ([Keys.Reload]). A key that has been there may not go: what was sealed with it would be lost.
package encryption
