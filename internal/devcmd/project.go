package devcmd

import (
	"fmt"
	"os"
	"path/filepath"

	"carillon/internal/store/datadir"
)

// projectDir returns the store directory of the project in the current directory. It creates the parent
// directory with a .gitignore file.
func projectDir() (string, error) {
	const project = ".carillon"
	err := datadir.Make(project)
	if file := filepath.Join(project, ".gitignore"); err == nil {
		if _, missing := os.Stat(file); missing != nil {
			err = os.WriteFile(file, []byte("*\n"), 0o600)
		}
	}
	if err != nil {
		return "", fmt.Errorf("create the data directory in the current directory: %w; choose another with --data-dir", err)
	}
	return filepath.Join(project, "data"), nil
}
