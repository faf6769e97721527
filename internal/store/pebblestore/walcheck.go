package pebblestore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkLogs checks the logs of dir from number first on for damage that Pebble does not detect. In
// the newest log, Pebble takes an incomplete chunk for the end, and looks only into other blocks
// for what follows. It also does not detect a missing log, or a missing end of a log that was
// closed. The error is errLogTorn if the missing part may never have been acknowledged.
func checkLogs(fs vfs.FS, dir string, first uint64) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	var logs []uint64
	for _, name := range names {
		if n, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 32); err == nil && isLog(name) && n >= first {
			logs = append(logs, n)
		}
	}
	slices.Sort(logs)
	next := uint64(0) // the number of the batch that comes next; 0 if there was none so far
	for i, n := range logs {
		found, err := readLogFile(fs, fs.PathJoin(dir, fmt.Sprintf("%06d.log", n)), n)
		switch {
		case err == nil && found.length > 0 && i < len(logs)-1 && !found.closed:
			err = fmt.Errorf("ends at byte %d, but was longer: %w", found.length, errDamaged)
		case err == nil && found.next > 0 && next > 0 && found.first != next:
			err = fmt.Errorf("begins with batch %d instead of %d: %w", found.first, next, errDamaged)
		}
		if err != nil {
			return fmt.Errorf("%06d.log %w", n, err)
		}
		next = max(next, found.next)
	}
	if next > 0 && first > 0 && logs[0] != first {
		return fmt.Errorf("%06d.log is missing: %w", first, errDamaged)
	}
	return nil
}

// readLogFile reads the log at path with this number.
func readLogFile(fs vfs.FS, path string, number uint64) (logContent, error) {
	f, err := fs.Open(path)
	if err != nil {
		return logContent{}, err
	}
	defer f.Close()
	return readLog(f, uint32(number))
}
