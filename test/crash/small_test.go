//go:build linux

package crash_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestSmallDiskAcceptsJobsUntilHalfFull fills disks on which a reserve of 128 MiB would leave no
// space at all, three times over.
func TestSmallDiskAcceptsJobsUntilHalfFull(t *testing.T) {
	for _, mib := range []uint64{64, 128} {
		t.Run(fmt.Sprint(mib, " MiB"), func(t *testing.T) {
			t.Parallel()
			dir := mount(t, "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mib), "tmpfs")
			n := start(t, dir)
			defer n.stop(t)
			c := n.connect(t)
			far := plan(rand.New(rand.NewPCG(1, 1)))
			far.first = far.first.Add(24 * time.Hour)
			random := rand.New(rand.NewPCG(2, mib))
			payload := make([]byte, 16<<10)
			for round := range 3 {
				var refused error
				// A rewrite by the store takes space for a moment: the disk is full when no job was
				// accepted for a second.
				taken, since := 0, time.Now()
				for refused == nil || time.Since(since) < time.Second {
					for i := range payload { // which cannot be compressed
						payload[i] = byte(random.Uint32())
					}
					r := far.request("one", fmt.Sprint("job-", taken))
					data, err := anypb.New(wrapperspb.Bytes(payload))
					if err != nil {
						t.Fatal(err)
					}
					r.Job.Data = data
					if _, refused = c.ScheduleJob(t.Context(), r); refused != nil {
						time.Sleep(10 * time.Millisecond)
						continue
					}
					taken, since = taken+1, time.Now()
					if taken > int(mib)<<10/16 {
						t.Fatalf("round %d: %d jobs of 16 KiB were taken, more than fit on the disk", round, taken)
					}
				}
				if least := int(mib) << 10 / 16 / 4; taken < least {
					t.Errorf("round %d: %d jobs of 16 KiB were taken, want %d at least: %v", round, taken, least, refused)
				}
				t.Logf("round %d: %d jobs of 16 KiB were taken, %d MiB are free: %v", round, taken, free(t, dir)>>20, refused)
				for _, figure := range []string{fmt.Sprintf("of %d.0 MiB free", mib), fmt.Sprintf("refused below %d.0 MiB", mib/2)} {
					if !strings.Contains(refused.Error(), figure) {
						t.Errorf("the refusal does not say %q: %v", figure, refused)
					}
				}
				if ok, says := n.healthy(t.Context()); ok || !strings.Contains(says, "new jobs are refused") {
					t.Errorf("round %d: health is %v and says %q", round, ok, says)
				}
				if _, err := c.DeleteByMetadata(t.Context(), &schedulerv1.DeleteByMetadataRequest{Metadata: metadata("one")}); err != nil {
					t.Errorf("round %d: a full disk deletes nothing: %v", round, err)
				}
				eventually(t, "it takes jobs again", func() bool {
					ok, _ := n.healthy(t.Context())
					return ok
				})
			}
		})
	}
}
