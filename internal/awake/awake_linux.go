package awake

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Bell wakes the program up at the instant that it was last set to. It is for one goroutine, apart from Close.
type Bell struct {
	fd   int
	file *os.File
}

// New returns a bell that calls rung, if it is not nil, whenever it has rung, from a goroutine of its own. The caller
// closes it. An error means that the system has no more files or timers to give.
func New(rung func()) (*Bell, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	b := &Bell{fd: fd, file: os.NewFile(uintptr(fd), "timer")}
	go func() {
		for times := make([]byte, 8); ; {
			if _, err := b.file.Read(times); err != nil {
				return // it was closed
			}
			if rung != nil {
				rung()
			}
		}
	}()
	return b, nil
}

// Set has the bell ring in d, and not when it was to ring before.
func (b *Bell) Set(d time.Duration) {
	// It cannot fail with these arguments. Zero would stop it.
	_ = unix.TimerfdSettime(b.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(1, d)))}, nil)
}

// Close ends the bell's goroutine.
func (b *Bell) Close() error { return b.file.Close() }
