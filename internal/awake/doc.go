// Package awake has an idle program wake up in time.
//
// Go sleeps in epoll when nothing is to be done, and epoll counts whole milliseconds: a timer of an idle program goes off
// up to one late, half of one in the mean. A timer of the kernel's goes off when it should. So beside the Go timer that
// a goroutine waits for, a [Bell] is set to the same instant. It rings for nobody in particular: it wakes the program up,
// and Go's timers that are due go off then. Where there is none, they go off all the same, as ever.
package awake
