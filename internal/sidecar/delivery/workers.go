package delivery

import "sync"

// workers run the deliveries of one stream, at most max at a time. The rest wait in a queue, which
// costs less than a goroutine for each.
type workers struct {
	max     int
	running sync.WaitGroup // workers

	mu    sync.Mutex // guards the fields below
	count int
	queue []func() // empty while count is less than max
}

// add calls work in a goroutine as soon as a worker is free.
func (w *workers) add(work func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count >= w.max {
		w.queue = append(w.queue, work)
		return
	}
	w.count++
	w.running.Go(func() {
		for work != nil {
			work()
			work = w.next()
		}
	})
}

// next returns the first of the queue, or nil if the worker that asks must end.
func (w *workers) next() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.queue = nil
		w.count--
		return nil
	}
	work := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return work
}
