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

// WriteDev writes the file of this carillon dev into a directory, and returns a function that removes it.
func WriteDev(dir string, d Dev) (remove func() error, err error) {
	path := filepath.Join(dir, devFile)
	text, err := json.Marshal(d)
	if err == nil {
		err = replaceFile(path, append(text, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return func() error {
		if now, err := readDev(path); err != nil || now.PID != d.PID {
			return nil //nolint:nilerr // another carillon dev has written its own file
		}
		return os.Remove(path)
	}, nil
}

// readDev reads the file of a carillon dev.
func readDev(path string) (d Dev, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil && (d.PID <= 0 || d.Server == "") {
		err = errors.New("it has no server or no PID")
	}
	return d, err
}

// findDev returns the carillon dev that runs in the project of a directory: in it, or in the nearest directory
// above. It skips files that a process has left which no longer runs.
func findDev(dir string) (d Dev, path string, found bool) {
	for {
		path = filepath.Join(dir, ProjectDir, devFile)
		d, err := readDev(path)
		if err == nil && running(d.PID) {
			return d, path, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return Dev{}, "", false
		}
		dir = parent
	}
}
