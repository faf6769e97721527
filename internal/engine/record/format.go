package record

import "carillon/internal/job"

// Format is the newest format of records that this version reads and writes. The nodes of a cluster
// tell one another theirs. While an older node is a member, no job is accepted that it could not
// read.
//
//	1  instants from 1677 to 2262
//	2  every instant that RFC 3339 can write
const Format = 2

// FormatOf returns the oldest format that can hold s. EncodeSpec writes s in it.
func FormatOf(s *job.Spec) int {
	if fitsNarrow(s.Plan.First) && fitsNarrow(s.Plan.Until) {
		return 1
	}
	return 2
}
