package timerfd

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Waker wakes the process at the instant that it was last set to. Only one goroutine may use it;
// Close is safe from any.
type Waker struct {
	fd   int
	file *os.File
}

// New returns a waker. It calls woken, unless that is nil, from a goroutine of its own each time it
// has woken the process. The caller closes it. An error means that the system has no more file
// descriptors or timers to give.
func New(woken func()) (*Waker, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	w := &Waker{fd: fd, file: os.NewFile(uintptr(fd), "timer")}
	go func() {
		for times := make([]byte, 8); ; {
			if _, err := w.file.Read(times); err != nil {
				return // it was closed
			}
			if woken != nil {
				woken()
			}
		}
	}()
	return w, nil
}

// Set replaces the instant with d from now.
func (w *Waker) Set(d time.Duration) {
	// It cannot fail with these arguments. Zero would stop it.
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(1, d)))}
	_ = unix.TimerfdSettime(w.fd, 0, &at, nil)
}

// Close ends the waker's goroutine.
func (w *Waker) Close() error { return w.file.Close() }
