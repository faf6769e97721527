package record

import (
	"testing"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

func TestSpecIsWrittenInTheOldestFormat(t *testing.T) {
	versions := map[int]byte{1: specVersion, 2: wideSpecVersion, Format: extSpecVersion}
	near, far := time.Unix(1, 0).UTC(), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	labels := &job.Ext{Labels: []job.Label{{Key: "team", Value: "billing"}}}
	for _, c := range []struct {
		first time.Time
		ext   *job.Ext
		want  int
	}{
		{near, nil, 1}, {far, nil, 2}, {near, labels, Format}, {far, labels, Format}, {near, &job.Ext{Description: "x"}, Format},
	} {
		s := job.Spec{Plan: when.Plan{First: c.first}, Policy: job.DefaultPolicy(), Ext: c.ext}
		if got := FormatOf(&s); got != c.want || EncodeSpec(recordKey, &s)[0] != versions[c.want] {
			t.Errorf("a job that is due at %v with %v is of format %d, want %d", c.first, c.ext, got, c.want)
		}
	}
}
