//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// sizeOf returns the size of a terminal in columns and lines. The height is 0 if it is not known.
func sizeOf(f *os.File) (width, height int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return DefaultWidth, 0
	}
	return int(size.Col), int(size.Row)
}
