package simulate_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds   = flag.Int("seeds", 3, "how many worlds of each kind there are")
	seed    = flag.Uint64("seed", 1, "the first of them")
	telling = flag.Bool("tell", false, "print the history of each seed")
)

// TestNodesKeepTheirPromises runs worlds of one node, each from its own seed, and lets all checkers
// look at what happened.
func TestNodesKeepTheirPromises(t *testing.T) { runAll(t, newProgram) }

// TestClustersKeepTheirPromises does so with one to three nodes that share a store.
func TestClustersKeepTheirPromises(t *testing.T) { runAll(t, newCluster) }

func runAll(t *testing.T, program func(seed uint64) *program) {
	var next atomic.Uint64
	next.Store(*seed)
	p := &progress{began: time.Now(), running: map[uint64]bool{}}
	workers := runtime.GOMAXPROCS(0)
	for worker := range min(workers, *seeds) {
		t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
			t.Parallel()
			for {
				n := next.Add(1) - 1
				if n >= *seed+uint64(*seeds) {
					return
				}
				p.start(n)
				run(t, program(n))
				p.end(n)
			}
		})
	}
}

// run runs the world of a program. If somebody objects to it, it prints what happened.
func run(t *testing.T, p *program) {
	var log bytes.Buffer
	h := simulate(t, p, plant{}, &log)
	found := check(h)
	if *telling {
		t.Logf("%s\n%s", p, h.text(nil))
	}
	if len(found) == 0 {
		return
	}
	keys := map[string]bool{}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s: %s %s\n", f.checker, f.key, f.text)
		keys[f.key] = f.key != ""
	}
	delete(keys, "")
	t.Errorf("seed %d breaks promises; run it again with -seed %d -seeds 1\n%s\n%s\n%s\n%s", p.seed, p.seed, b.String(), p, h.text(keys), log.String())
}

// check returns what the checkers object to.
func check(h *history) []finding {
	s := tell(h)
	var all []finding
	for _, name := range slices.Sorted(maps.Keys(checkers)) {
		checkers[name](s, func(key, format string, args ...any) {
			all = append(all, finding{name, key, fmt.Sprintf(format, args...)})
		})
	}
	return all
}

// A progress tells how far a long run has got, now and then.
type progress struct {
	began time.Time

	mu      sync.Mutex // guards the fields below
	running map[uint64]bool
	done    int
	told    time.Time
}

func (p *progress) start(seed uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[seed] = true
}

func (p *progress) end(seed uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, seed)
	p.done++
	if now := time.Now(); now.Sub(p.began) > 10*time.Second && now.Sub(p.told) > 10*time.Second {
		p.told = now
		fmt.Fprintf(os.Stderr, "%d of %d seeds in %v; running %v\n", p.done, *seeds, now.Sub(p.began).Round(time.Second),
			slices.Sorted(maps.Keys(p.running)))
	}
}
