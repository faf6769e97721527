package nodecmd

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// logFile appends a log to a file. At SIGHUP it reopens the file, so that logrotate can rename it. It is safe
// for concurrent use.
type logFile struct {
	path    string
	signals chan os.Signal

	mu sync.Mutex
	f  *os.File // guarded by mu
}

// openLogFile opens the file, and reopens it at each SIGHUP until Close.
func openLogFile(path string) (*logFile, error) {
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w; choose a writable file in an existing directory", err)
	}
	l := &logFile{path: path, f: f, signals: make(chan os.Signal, 1)}
	signal.Notify(l.signals, syscall.SIGHUP)
	go func() {
		for range l.signals {
			l.reopen()
		}
	}()
	return l, nil
}

func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// reopen continues with the file that now has the path. If that cannot be opened, it keeps the old one.
func (l *logFile) reopen() {
	f, err := openAppend(l.path)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		fmt.Fprintf(os.Stderr, "carillon: reopen the log file after SIGHUP: %v; the log continues in the old file\n", err)
		return
	}
	l.f.Close()
	l.f = f
}

// Write is [io.Writer.Write].
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(b)
}

// Close closes the file.
func (l *logFile) Close() {
	signal.Stop(l.signals)
	signal.Ignore(syscall.SIGHUP) // SIGHUP must not end the process during the rest of the shutdown
	close(l.signals)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Close()
}
