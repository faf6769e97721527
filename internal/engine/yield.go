package engine

import "runtime"

// yieldEvery is after how many commands or outcomes a loop lets other goroutines run.
const yieldEvery = 64

// yieldCPU lets other goroutines run after each yieldEvery calls with a growing i. Go preempts a
// goroutine only after ten milliseconds, and the triggers of a quiet app have to be sent meanwhile.
func yieldCPU(i int) {
	if i%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
}
