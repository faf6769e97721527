//go:build !unix

package terminal

import "os"

// widthOf returns the width that is assumed where the terminal is not asked.
func widthOf(*os.File) int { return DefaultWidth }
