// Package duescan reads all entries of the due index up to an instant, with a bounded amount of work.
//
// The due index is ordered by partition, target and instant, so that each lane is adjacent.
// [Scan.Run] first visits every lane and reads the beginning of each: no lane is left out because
// another one is long. Then it reads on in the lane that it has read least far, until the work is
// used up. So what it has not read lies behind one instant, and everything before that is complete.
package duescan
