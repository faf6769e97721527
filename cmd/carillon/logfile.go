package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// A logFile is a file to which a log is appended. At SIGHUP it is opened again, so that logrotate can rename it. It is
// safe for concurrent use.
type logFile struct {
	path    string
	signals chan os.Signal

	mu sync.Mutex
	f  *os.File // guarded by mu
}

// openLogFile opens the file and reopens it at each SIGHUP until it is closed.
func openLogFile(path string) (*logFile, error) {
	f, err := openAppend(path)
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w; choose a file that this user may write, in a folder that is there", err)
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

// reopen continues with the file that has the path now, or, if that cannot be opened, with the old one.
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
	signal.Ignore(syscall.SIGHUP) // what is left to be done is not cut short
	close(l.signals)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Close()
}
