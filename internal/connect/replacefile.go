package connect

import (
	"errors"
	"os"
	"path/filepath"
)

// replaceFile writes a file that only its owner may read, in the place of the one at path.
func replaceFile(path string, text []byte) error {
	f, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	if err = f.Close(); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// writeBeside writes a new file, with another name in the directory of path.
func writeBeside(path string, text []byte) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(text); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}
