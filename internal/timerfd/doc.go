// Package timerfd wakes an idle process on time.
//
// An idle Go program waits in epoll, which counts whole milliseconds, so its timers go off up to
// one millisecond late, half of one on average. A timer of the kernel (timerfd_create(2)) has no
// such step. A goroutine that waits for a Go timer also sets a [Waker] to the same instant. The
// kernel then wakes the process, and Go runs the timers that are due. The waker carries no message.
// On systems without timerfd Go's timers go off by themselves, up to a millisecond late.
package timerfd
