package devcmd

import (
	"fmt"
	"os"
	"path/filepath"

	"carillon/internal/connect"
	"carillon/internal/store/datadir"
)

// projectDir returns the store directory of the project in the current directory. It creates the parent
// directory with a .gitignore file.
func projectDir() (string, error) {
	const project = connect.ProjectDir
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

// markRunning lets commands in the project find this process, until unmark is called. It does nothing if the
// data is not in the directory of the project.
func (o *devOptions) markRunning() (unmark func() error, err error) {
	if o.dataDir != "" {
		return func() error { return nil }, nil
	}
	return connect.WriteDev(connect.ProjectDir, connect.Dev{Server: o.management.URL(), PID: os.Getpid()})
}
