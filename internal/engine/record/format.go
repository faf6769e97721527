package record

import "carillon/internal/job"

// Format is the newest format of records that this version reads and writes. The nodes of a cluster
// tell one another theirs. While an older node is a member, no job is accepted that it could not
// read.
//
//	1  instants from 1677 to 2262
//	2  every instant that RFC 3339 can write
//	3  labels and descriptions
const Format = 3

// FormatOf returns the oldest format that can hold s. EncodeSpec writes s in it.
func FormatOf(s *job.Spec) int {
	switch {
	case s.Ext != nil:
		return 3
	case fitsNarrow(s.Plan.First) && fitsNarrow(s.Plan.Until):
		return 1
	default:
		return 2
	}
}
