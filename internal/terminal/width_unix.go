//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// widthOf returns the width of a terminal in columns.
func widthOf(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return DefaultWidth
	}
	return int(size.Col)
}
