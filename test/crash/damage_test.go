package crash_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
)

// TestFlippedBitIsNeverWrongPayload flips a bit in a file of a node's folder and starts the node on
// it: it refuses to start or ends and says why, or it has every job with its own payload. What it
// may lack, it says so, are the last jobs of a log that was never closed.
func TestFlippedBitIsNeverWrongPayload(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(uint64(number(t, "CARILLON_TEST_SEED", 1)), 9))
	dir, payloads := t.TempDir(), invent(t, r)
	killAfter(t, dir, payloads)
	files, err := filepath.Glob(filepath.Join(dir, "carillon", "*"))
	if err != nil {
		t.Fatal(err)
	}
	refused, whole, short := 0, 0, 0
	for range number(t, "CARILLON_TEST_FLIPS", 8) {
		file, err := filepath.Rel(dir, files[r.IntN(len(files))])
		if err != nil {
			t.Fatal(err)
		}
		damaged := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(damaged, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		at, ok := flip(t, filepath.Join(damaged, file), r)
		if !ok {
			continue
		}
		what := fmt.Sprintf("bit %d of %s", at, file)
		n, err := launch(t, damaged)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "restore it from a backup") {
				t.Errorf("%s: refused, and nobody is told what to do: %v", what, err)
			}
			continue
		}
		switch kept, err := compare(t, n, payloads); {
		case err != nil:
			refused++
			select {
			case <-n.ended:
			case <-time.After(patience):
				t.Errorf("%s: the node lives on, and answers %v", what, err)
			}
		case kept == len(payloads):
			whole++
		case strings.Contains(n.said.String(), "the store's log ends with an incomplete write"):
			short++
		default:
			t.Errorf("%s: %d of %d jobs are there, and nobody said a word", what, kept, len(payloads))
		}
		n.kill()
	}
	t.Logf("%d were refused, %d were whole, %d said that they lack the end of their log", refused, whole, short)
}

// invent makes up jobs: their payloads by name.
func invent(t *testing.T, r *rand.Rand) map[string][]byte {
	t.Helper()
	payloads := map[string][]byte{}
	for i := range 2000 {
		payload := make([]byte, r.IntN(600))
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		payloads[fmt.Sprint("job-", i)] = payload
	}
	return payloads
}

// killAfter has a node store the jobs in dir, and kills it.
func killAfter(t *testing.T, dir string, payloads map[string][]byte) {
	t.Helper()
	n := start(t, dir)
	c := n.connect(t)
	names := make(chan string)
	var users sync.WaitGroup
	for range 16 {
		users.Go(func() {
			for name := range names {
				j := &job{first: time.Now().Add(24 * time.Hour), times: 1, payload: payloads[name]}
				if _, err := c.ScheduleJob(t.Context(), j.request("one", name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for name := range payloads {
		names <- name
	}
	close(names)
	users.Wait()
	n.kill()
}

// flip flips a bit of the file, if it has any.
func flip(t *testing.T, file string, r *rand.Rand) (at int, ok bool) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) == 0 {
		return 0, false
	}
	at = r.IntN(8 * len(content))
	content[at/8] ^= 1 << (at % 8)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return at, true
}

// compare returns how many of the jobs the node has. It fails the test over one that is not as it
// was stored. An error is the node's own word.
func compare(t *testing.T, n *node, payloads map[string][]byte) (kept int, err error) {
	t.Helper()
	list, err := n.connect(t).ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: metadata("one")}, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		return 0, err
	}
	for _, j := range list.GetJobs() {
		want, ok := payloads[j.GetName()]
		if got := j.GetJob().GetData().GetValue(); !ok || !bytes.Equal(got, want) {
			t.Errorf("%s has a payload of %d bytes, and was stored (%v) with %d others", j.GetName(), len(got), ok, len(want))
		}
	}
	return len(list.GetJobs()), nil
}
