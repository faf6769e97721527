package memory

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleProcessReturnsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() { trimWhileIdle(stop); close(ended) }()
		synctest.Wait()
		burst := make([]byte, 200<<20)
		for i := range burst {
			burst[i] = 1
		}
		runtime.KeepAlive(burst)
		before := readHeap()
		if before.held < 200<<20 {
			t.Fatalf("the heap has %d MiB after the burst: this proves nothing", before.held>>20)
		}
		for range 100 { // other tests may cause collections meanwhile
			time.Sleep(trimInterval)
			synctest.Wait()
			if readHeap().held < before.held-150<<20 {
				break
			}
		}
		if got := readHeap(); got.held > before.held-150<<20 {
			t.Errorf("the heap has %d MiB, and had %d, long after a burst of 200 MiB", got.held>>20, before.held>>20)
		}
		close(stop)
		<-ended
	})
}

func TestBusyOrUnchangedHeapIsNotTrimmed(t *testing.T) {
	const mib = 1 << 20
	before := heap{collections: 5}
	for name, now := range map[string]heap{
		"busy":      {collections: 6, held: 900 * mib},
		"unchanged": {collections: 5, held: 180 * mib},
	} {
		if now.shouldTrim(before, 100*mib) {
			t.Errorf("a heap that is %s is trimmed", name)
		}
	}
	if idle := (heap{collections: 5, held: 183 * mib}); !idle.shouldTrim(before, 100*mib) {
		t.Error("an idle heap with much to return is not trimmed")
	}
}
