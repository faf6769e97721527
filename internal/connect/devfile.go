package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ProjectDir is the directory of a project in which carillon dev keeps its data.
const ProjectDir = ".carillon"

// devFile is the file in a [ProjectDir] that says that carillon dev runs.
const devFile = "dev.json"

// Dev describes a running carillon dev.
type Dev struct {
	Server string `json:"server"` // URL of its management API
	PID    int    `json:"pid"`
}

// WriteDev writes the file of this carillon dev into a directory, and returns a function that
// removes it. Until then, or until this process ends, it holds a lock on the file: the PID of a
// process that was killed may be that of another one later.
func WriteDev(dir string, d Dev) (remove func() error, err error) {
	path := filepath.Join(dir, devFile)
	text, err := json.Marshal(d)
	var release func() error
	if err == nil {
		release, err = replaceLocked(path, append(text, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return func() error {
		if now, _, err := readDev(path); err != nil || now.PID != d.PID {
			return release() // another carillon dev has written its own file
		}
		return errors.Join(os.Remove(path), release())
	}, nil
}

// readDev reads the file of a carillon dev, and reports whether that runs.
func readDev(path string) (d Dev, runs bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Dev{}, false, err
	}
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&d); err != nil {
		return Dev{}, false, err
	}
	if d.PID <= 0 || d.Server == "" {
		return Dev{}, false, errors.New("it has no server or no PID")
	}
	return d, ownerRuns(f, d.PID), nil
}

// findDev returns the carillon dev that runs in the project of a directory: in it, or in the
// nearest directory above. It skips the files of those that were killed.
func findDev(dir string) (d Dev, path string, found bool) {
	for {
		path = filepath.Join(dir, ProjectDir, devFile)
		if d, runs, err := readDev(path); err == nil && runs {
			return d, path, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return Dev{}, "", false
		}
		dir = parent
	}
}
