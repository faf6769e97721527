package etcdstore

import (
	"encoding/binary"
	"math/bits"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A pacer finds out how far a page should reach. For each page etcd counts all keys from where it begins to where it may
// end, however few are wanted: a scan of everything would take the square of its size. So a page ends some way beyond where
// it would be full if keys lay as densely there as in the page before. The zero pacer knows nothing yet.
type pageBounds struct {
	last  string // key that was seen
	at    int    // where in it the number is that keys are told apart by
	width uint64 // of the latest page, by that number
	times uint64 // how many of such widths the next page is to reach, beyond last
}

// learn notes what came of a page that began at from, and how many keys are wanted next.
func (p *pageBounds) learn(from string, kvs []*mvccpb.KeyValue, next int) {
	first, last := from, string(kvs[len(kvs)-1].Key)
	if p.last == "" { // the first key may be far from where the page began
		first = string(kvs[0].Key)
	}
	at := 0
	for at < len(first) && at < len(last) && first[at] == last[at] {
		at++
	}
	const carry = 3 // bytes that keys have in common and may change in the next page
	p.last, p.at = last, max(0, at-carry)
	p.width = number(last, p.at) - number(first, p.at)
	p.times = uint64(next/len(kvs) + 1)
}

// end returns where a page ends that begins at from, to at the most. If it ends sooner, there may be none in it; then the
// next one reaches much farther.
func (p *pageBounds) end(from, to string) string {
	if p.width == 0 {
		return to
	}
	for {
		high, low := bits.Mul64(p.width, p.times)
		sum, carry := bits.Add64(number(p.last, p.at), low, 0)
		if high > 0 || carry > 0 {
			return to
		}
		p.times *= 16
		end := string(binary.BigEndian.AppendUint64([]byte(p.last[:p.at]), sum))
		if end >= to {
			return to
		}
		if end > from {
			return end
		}
	}
}

// number returns the eight bytes of key from at on, as if zeros followed it.
func number(key string, at int) uint64 {
	var b [8]byte
	copy(b[:], key[min(at, len(key)):])
	return binary.BigEndian.Uint64(b[:])
}
