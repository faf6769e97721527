package nodecmd

import (
	"fmt"

	"carillon/internal/encryption"
)

// KeyFileUsage is the help of --encryption-key-file.
const KeyFileUsage = "`file` with the keys that encrypt payloads on disk, newest first; reloaded when it changes"

// OpenKeys returns the keys in a file, or nil if file is empty.
func OpenKeys(file string) (*encryption.Keys, error) {
	if file == "" {
		return nil, nil
	}
	keys, err := encryption.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--encryption-key-file: %w", err)
	}
	return keys, nil
}
