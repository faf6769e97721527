package main

import "github.com/agnivade/levenshtein"

// nearest returns the candidate that differs least from word, if so little that word may be a typing error of it.
func nearest(word string, candidates []string) (near string, ok bool) {
	best := 1 + len(word)/4 // of a short word, little may differ
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(word, c); d <= best {
			if d < best || !ok {
				near, ok = c, true
			}
			best = d
		}
	}
	return near, ok
}
