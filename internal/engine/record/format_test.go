package record

import (
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func TestSpecIsWrittenInTheOldestFormat(t *testing.T) {
	versions := map[int]byte{1: specVersion, 2: wideSpecVersion}
	for first, want := range map[time.Time]int{time.Unix(1, 0): 1, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC): Format} {
		s := job.Spec{Plan: when.Plan{First: first.UTC()}, Policy: job.DefaultPolicy()}
		if got := FormatOf(&s); got != want || EncodeSpec(recordKey, &s)[0] != versions[want] {
			t.Errorf("a job that is due at %v is of format %d, want %d", first, got, want)
		}
	}
}
