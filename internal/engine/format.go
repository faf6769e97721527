package engine

import "carillon/internal/job"

// RecordFormat is the newest format of records that this version reads and writes. The nodes of a cluster tell one another
// theirs: while an older node is a member, no job is accepted that it could not read.
//
//	1  instants from 1677 to 2262
//	2  every instant that RFC 3339 can write
const RecordFormat = 2

// FormatOf returns the oldest format that has room for all that s says, which is the one in which it is stored.
func FormatOf(s *job.Spec) int {
	if narrow(s.Plan.First) && narrow(s.Plan.Until) {
		return 1
	}
	return 2
}
