package main

import (
	"fmt"

	"carillon/internal/seal"
)

// openKeys returns the keys of a file, or nil if there is none.
func openKeys(file string) (*seal.Keys, error) {
	if file == "" {
		return nil, nil
	}
	keys, err := seal.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--encryption-key-file: %w", err)
	}
	return keys, nil
}
