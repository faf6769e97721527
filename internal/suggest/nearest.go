// Package suggest finds the word that a mistyped one may mean.
package suggest

import "github.com/agnivade/levenshtein"

// Nearest returns the candidate most similar to word, if word may be a typing error of it.
func Nearest(word string, candidates []string) (near string, ok bool) {
	best := 1 + len(word)/4 // the largest distance of a typing error
	for _, c := range candidates {
		d := levenshtein.ComputeDistance(word, c)
		if swapped(word, c) {
			d = 1
		}
		if d <= best {
			if d < best || !ok {
				near, ok = c, true
			}
			best = d
		}
	}
	return near, ok
}

// swapped reports whether a and b differ only by two swapped neighbouring bytes.
func swapped(a, b string) bool {
	for i := 1; i < len(a) && len(a) == len(b); i++ {
		if a[:i-1]+a[i:i+1]+a[i-1:i]+a[i+1:] == b {
			return a != b
		}
	}
	return false
}
