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

func TestBusyOrSmallHeapIsNotTrimmed(t *testing.T) {
	before := heap{collections: 5, live: 100 << 20}
	for name, now := range map[string]heap{
		"busy":  {collections: 6, live: 100 << 20, held: 900 << 20},
		"small": {collections: 5, live: 100 << 20, held: 180 << 20},
	} {
		if now.shouldTrim(before) {
			t.Errorf("a %s heap is trimmed", name)
		}
	}
	if idle := (heap{collections: 5, live: 100 << 20, held: 183 << 20}); !idle.shouldTrim(before) {
		t.Error("an idle heap with much to return is not trimmed")
	}
}
