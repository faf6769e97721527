// Package dueorder reads pages of the due index in due order: by instant, then by job.
//
// The due index itself is ordered by partition and target, so that each lane is adjacent. A page in
// due order is the earliest entries of all lanes. So [Index.Page] visits every lane, and keeps the
// earliest entries that it has found. It leaves a lane at the first entry that is later than those:
// all others of the lane are later too. It reads short lanes to their ends, which is cheaper than a
// new scan, and skips the rest of long ones.
//
// The work of a page grows with the number of lanes, but hardly with the number of jobs. It is
// bounded: if there are too many lanes, there is no page, but [ErrTooManyLanes].
package dueorder
