package main

import "sync"

// each calls do for all, some at a time.
func each[T any](jobs int, all []T, do func(T)) {
	var workers sync.WaitGroup
	queue := make(chan T)
	for range max(1, jobs) {
		workers.Go(func() {
			for v := range queue {
				do(v)
			}
		})
	}
	for _, v := range all {
		queue <- v
	}
	close(queue)
	workers.Wait()
}
